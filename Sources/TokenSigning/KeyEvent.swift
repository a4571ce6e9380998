/// What became of the key files, for an operator's log. Each is told once, when it happens.
public enum KeyEvent: Hashable, Sendable {
  /// A file has changed, and its keys are in use in place of the previous ones: none if a key set is empty.
  case reloaded(file: String, keys: Int)
  /// A key of an outside issuer's set is left out. `key` is its place in the set, from 0, and its `kid`.
  case keyIgnored(file: String, key: String, reason: String)
  /// A file cannot be used. Its previous keys stay in use, those of an outside issuer for
  /// ``OutsideIssuer/graceForUnreadableKeys`` at most.
  case failed(KeyFailure)
  /// The keys of an outside issuer have expired: its tokens are refused until its file can be used again.
  case trustEnded(KeyFailure)
}
