import UserDomain

/// The client that makes a call, with a token or without.
public struct Caller: Sendable {
  /// The rights of the caller.
  let principal: Principal
  /// The client's end of the connection, formatted by GRPCCore.
  let peer: String
  /// Whether the call has a valid token.
  let hasToken: Bool

  /// The bearer of the call's token; nil for a call without a token.
  var bearer: Principal? { hasToken ? principal : nil }

  /// The network of the caller.
  var network: PeerNetwork { PeerNetwork(peer: peer) }

  /// The requester of the call's password hashes: the principal of a service that calls for many users, else the
  /// caller's network.
  var hashRequester: HashRequester {
    if hasToken, principal.isFreeOfPeerLimit { return HashRequester(.principal(principal.subject)) }
    return HashRequester(.network(network))
  }
}

extension Principal {
  /// Whether the principal is exempt from the peer limit: one with `users:write` is a service that calls for many
  /// users.
  var isFreeOfPeerLimit: Bool { scopes.contains(.usersWrite) }
}
