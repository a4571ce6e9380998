/// Who a password is hashed or checked for. The hasher serves callers in turn, so that none keeps the others out.
public struct HashRequester: Hashable, Sendable {
  /// What counts as one caller.
  public enum Caller: Hashable, Sendable {
    /// The clients of one network.
    case network(PeerNetwork)
    /// The bearers of tokens with this subject: a service that calls for many people.
    case principal(String)
    /// The service itself.
    case service
  }

  /// The caller, who has a turn of its own.
  public let caller: Caller
  /// Whether the hash is one of many, or has no client that waits for it. It is made after those that clients wait for.
  public let isBackground: Bool

  /// A requester, whose client waits for the hash unless it `isBackground`.
  public init(_ caller: Caller, isBackground: Bool = false) {
    self.caller = caller
    self.isBackground = isBackground
  }

  /// The service itself: for work that no client has asked for, and for requests that have no password.
  public static let service = HashRequester(.service)

  /// The same caller, for a hash that no client waits for.
  public var inBackground: HashRequester { HashRequester(caller, isBackground: true) }
}
