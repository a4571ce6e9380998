import Logging

@testable import UserAPI

extension CallPipeline {
  /// Creates a pipeline without a log, whose calls are cancelled for `cause`.
  static func test(
    _ authorizer: Authorizer = .off, observer: CallObserver = CallObserver(log: nil, metrics: nil),
    cause: CancellationCause = .client
  ) -> CallPipeline {
    CallPipeline(
      authorizer: authorizer, observer: observer,
      errors: ErrorMapper(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    ) { _ in
      cause
    }
  }
}
