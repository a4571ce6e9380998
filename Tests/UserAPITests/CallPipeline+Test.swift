import Logging

@testable import UserAPI

extension CallPipeline {
  /// A pipeline that logs nothing, of calls that are cancelled for `cause` if they are.
  static func test(
    _ authorizer: Authorizer = .off, observer: CallObserver = CallObserver(log: nil, metrics: nil), cause: CancellationCause = .client
  ) -> CallPipeline {
    CallPipeline(
      authorizer: authorizer, observer: observer,
      errors: ErrorMapper(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    ) { _ in
      cause
    }
  }
}
