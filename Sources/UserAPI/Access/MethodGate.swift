import GRPCCore
import UserDomain

/// Decides who may call one method.
enum MethodGate: Sendable {
  /// Every caller has all rights.
  case open
  /// No caller may call the method.
  case closed
  /// Callers may call as the rule allows.
  case guarded(MethodRule, AccessRules)

  /// Decides without checking a signature, which would occupy an event loop.
  ///
  /// - Parameters:
  ///   - authorization: the only value of the field `authorization`; nil for none or several.
  ///   - peer: the client's end of the connection.
  func decide(known authorization: UnsafeRawBufferPointer?, from peer: String) -> Decision<Caller> {
    decide(from: peer) { rule, access in
      // Where no token is needed, several values count as none. Elsewhere the full check tells the two faults apart.
      guard let authorization else { return rule.access == .everyCaller ? .absent : .unknown(.signature) }
      return access.knownPrincipal(authorization).map { .valid($0) } ?? .unknown(.signature)
    } principal: { (bearer: Principal) in
      bearer
    } permission: { bearer in
      Caller(principal: bearer ?? withoutToken, peer: peer, hasToken: bearer != nil)
    }
  }

  /// Decides by the whole token.
  ///
  /// - Parameter isRefreshed: whether ``Authorizer/refresh(_:)`` was called for this call. If not, a token with an unknown
  ///   key, or of an epoch that another process may have begun, is ``Decision/undecided(_:)``.
  func decide(_ metadata: Metadata, from peer: String, isRefreshed: Bool) -> Decision<CallAuthorization> {
    decide(from: peer) { _, access in
      access.credential(in: metadata, from: peer, isRefreshed: isRefreshed)
    } principal: { (bearer: BearerToken) in
      bearer.principal
    } permission: { token in
      CallAuthorization(token, otherwise: withoutToken, peer: peer, limiter: limiter)
    }
  }

  /// The principal of a caller without a token.
  private var withoutToken: Principal {
    if case .open = self { .unrestricted } else { .anonymous }
  }

  private var limiter: PeerLimiter? {
    if case .guarded(_, let access) = self { access.limiter } else { nil }
  }

  /// The rules, whatever the thoroughness of the check.
  ///
  /// - Parameters:
  ///   - credential: checks the call's token.
  ///   - principal: who the bearer of a token is.
  ///   - permission: what a bearer, or a caller without a token, is given.
  private func decide<Bearer, Permitted>(
    from peer: String, credential: (MethodRule, AccessRules) -> Credential<Bearer>,
    principal: (Bearer) -> Principal, permission: (Bearer?) -> Permitted
  ) -> Decision<Permitted> {
    switch self {
    case .open: return .permit(permission(nil))
    case .closed: return .refuse(.permissionDenied(missing: []), bearer: nil)
    case .guarded(let rule, let access):
      guard rule.access == .everyCaller else {
        return Self.decide(credential(rule, access), access: rule.access, principal, permission)
      }
      // A token makes a difference to the limit, and to labels.
      guard rule.cost != .nothing else { return .permit(permission(nil)) }
      return Self.decide(credential(rule, access), principal, permission) { () throws(UserError) in
        try access.limiter?.admit(peer, rule.cost)
      }
    }
  }

  /// Applies the rule of a method that needs a token.
  private static func decide<Bearer, Permitted>(
    _ credential: Credential<Bearer>, access: MethodAccess, _ principal: (Bearer) -> Principal,
    _ permission: (Bearer?) -> Permitted
  ) -> Decision<Permitted> {
    switch credential {
    case .absent: return .refuse(.unauthenticated(.missing), bearer: nil)
    case .invalid(let error): return .refuse(error, bearer: nil)
    case .unknown(let lack): return .undecided(lack)
    case .valid(let bearer):
      do throws(UserError) {
        try access.admit(principal(bearer))
        return .permit(permission(bearer))
      } catch {
        return .refuse(error, bearer: principal(bearer))
      }
    }
  }

  /// Applies the rule of a method that needs no token. `count` counts a call that is not exempt from the limit.
  private static func decide<Bearer, Permitted>(
    _ credential: Credential<Bearer>, _ principal: (Bearer) -> Principal,
    _ permission: (Bearer?) -> Permitted, count: () throws(UserError) -> Void
  ) -> Decision<Permitted> {
    var bearer: Bearer?
    switch credential {
    case .valid(let valid): bearer = valid
    // An invalid token changes nothing.
    case .absent, .invalid(.unauthenticated): break
    case .invalid(let error): return .refuse(error, bearer: nil)
    case .unknown(let lack): return .undecided(lack)
    }
    let principal = bearer.map(principal)
    if principal?.isFreeOfPeerLimit != true {
      do throws(UserError) {
        try count()
      } catch {
        return .refuse(error, bearer: principal)
      }
    }
    return .permit(permission(bearer))
  }
}
