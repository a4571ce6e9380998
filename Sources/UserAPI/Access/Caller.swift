import UserDomain

/// Who makes a call.
public struct Caller: Sendable {
  /// What the caller may do.
  let principal: Principal
  /// The client's end of the connection, as GRPCCore writes it.
  let peer: String
  /// Whether a token says who it is.
  let hasToken: Bool

  /// The bearer of the call's token; nil without one.
  var bearer: Principal? { hasToken ? principal : nil }

  /// The network that the call comes from.
  var network: PeerNetwork { PeerNetwork(peer: peer) }

  /// The requester of the call's password hashes. A service that calls for many people counts by itself, all others
  /// by their network.
  var hashRequester: HashRequester {
    if hasToken, principal.isFreeOfPeerLimit { return HashRequester(.principal(principal.subject)) }
    return HashRequester(.network(network))
  }
}

extension Principal {
  /// Whether the limit for peers does not apply: a caller that may write all users is a service that calls for many
  /// people.
  var isFreeOfPeerLimit: Bool { scopes.contains(.usersWrite) }
}
