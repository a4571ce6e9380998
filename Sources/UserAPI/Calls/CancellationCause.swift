/// Why a call was cancelled, as its transport knows.
public enum CancellationCause: Sendable {
  /// Its client has cancelled it, or is gone.
  case client
  /// Its deadline has passed.
  case deadline
  /// The grace time of a shutdown, or of its connection's age, is over.
  case shutdown
}
