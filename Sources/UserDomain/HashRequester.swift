/// The caller that a password is hashed or checked for. The hasher serves callers in turn, so that none starves the
/// others.
public struct HashRequester: Hashable, Sendable {
  /// The unit that counts as one caller.
  public enum Caller: Hashable, Sendable {
    /// The clients of one network.
    case network(PeerNetwork)
    /// The bearers of tokens with this subject: a service that calls for many users.
    case principal(String)
    /// The service itself.
    case service
  }

  /// The caller, which has its own turn.
  public let caller: Caller
  /// Whether the hash is one of many, or no client waits for it. It is made after the hashes that clients wait for.
  public let isBackground: Bool

  /// Creates a requester whose client waits for the hash, unless it `isBackground`.
  public init(_ caller: Caller, isBackground: Bool = false) {
    self.caller = caller
    self.isBackground = isBackground
  }

  /// The service itself: for work that no client requested, and for requests without a password.
  public static let service = HashRequester(.service)

  /// Returns the same caller, for a hash that no client waits for.
  public var inBackground: HashRequester { HashRequester(caller, isBackground: true) }
}
