import Synchronization
import UserDomain

/// Accepts one token until a test invalidates it.
final class OneToken: AccessTokenVerifier {
  private let claims: AccessTokenClaims
  private let fault = Mutex<TokenFault?>(nil)
  private let checks = Mutex(0)
  private let isKnown = Mutex(false)

  init(subject: String, scopes: Scopes = [], epoch: Int64? = nil) {
    claims = AccessTokenClaims(
      principal: Principal(subject: subject, scopes: scopes), issuedAt: .now, expiresAt: .now, epoch: epoch)
  }

  /// The number of checked signatures.
  var checkCount: Int { checks.withLock { $0 } }

  func verify(
    authorization: String, admitCheck: () throws(UserError) -> Void
  ) throws(UserError) -> AccessTokenClaims {
    let isGood = authorization == "Bearer good"
    if !isGood || !isKnown.withLock({ $0 }) {
      try admitCheck()
      checks.withLock { $0 += 1 }
    }
    guard isGood else { throw .unauthenticated(.untrusted) }
    if let fault = fault.withLock({ $0 }) { throw .unauthenticated(fault) }
    isKnown.withLock { $0 = true }
    return claims
  }

  func known(authorization: UnsafeRawBufferPointer) -> AccessTokenClaims? {
    // Unknown, for any reason.
    try? verify(authorization: String(decoding: authorization, as: UTF8.self))
  }

  func fail(_ fault: TokenFault?) {
    self.fault.withLock { $0 = fault }
  }
}
