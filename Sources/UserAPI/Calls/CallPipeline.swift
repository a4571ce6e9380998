public import GRPCCore
import UserDomain

/// What every call goes through, whichever road it takes: it is observed, its caller authorised, its request decoded
/// and answered, and what it fails with becomes a status.
public struct CallPipeline: Sendable {
  private let authorizer: Authorizer
  private let observer: CallObserver
  private let errors: ErrorMapper
  private let cause: @Sendable (ServerContext) -> CancellationCause

  /// A pipeline.
  ///
  /// - Parameters:
  ///   - authorizer: decides who may call.
  ///   - observer: hears of the calls.
  ///   - errors: maps errors to statuses.
  ///   - cause: why a handler's call was cancelled that was. The transport knows.
  public init(
    authorizer: Authorizer, observer: CallObserver, errors: ErrorMapper,
    cause: @escaping @Sendable (ServerContext) -> CancellationCause
  ) {
    self.authorizer = authorizer
    self.observer = observer
    self.errors = errors
    self.cause = cause
  }

  /// The pipeline of one method's calls.
  ///
  /// - Parameter isInline: whether calls can be answered where they arrive, and so are counted.
  func pipeline(of method: MethodDescriptor, isInline: Bool = false) -> MethodPipeline {
    MethodPipeline(
      method, authorizer: authorizer, observer: observer.observer(of: method, isInline: isInline),
      errors: errors, cause: cause)
  }
}
