/// The reason why a call was cancelled, as its transport knows.
public enum CancellationCause: Sendable {
  /// The client cancelled the call, or disconnected.
  case client
  /// The call's deadline passed.
  case deadline
  /// The grace time of a shutdown, or of the connection's maximum age, expired.
  case shutdown
}
