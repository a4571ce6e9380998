/// A change of the key files, for an operator's log. Each is reported once, when it happens.
public enum KeyEvent: Hashable, Sendable {
  /// A file has changed, and its keys replace the previous ones. An empty key set has none.
  case reloaded(file: String, keys: Int)
  /// A key of an outside issuer's set is ignored. `key` is its index in the set, from 0, and its `kid`.
  case keyIgnored(file: String, key: String, reason: String)
  /// A file is unusable. Its previous keys stay in use, those of an outside issuer for at most
  /// ``OutsideIssuer/graceForUnreadableKeys``.
  case failed(KeyFailure)
  /// The keys of an outside issuer have expired: its tokens are refused until its file is usable again.
  case trustEnded(KeyFailure)
}
