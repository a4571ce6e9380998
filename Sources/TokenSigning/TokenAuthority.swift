import Foundation
import JWTKit
import Synchronization
public import UserDomain

/// Signs access tokens with the service's own keys, and keeps the verifier of tokens up to date with the key
/// files.
public final class TokenAuthority: AccessTokenIssuer {
  /// Whose name the service signs under, and whom else it believes.
  public struct Configuration: Hashable, Sendable {
    /// Where the service's own keys are; nil for keys that end with this object.
    public var keys: KeyFile?
    /// `iss` of the service's own tokens.
    public var issuer: String
    /// `aud` of the service's own tokens.
    public var audience: String
    /// Another issuer to believe.
    public var outside: OutsideIssuer?

    /// A configuration.
    public init(
      keys: KeyFile?, issuer: String = "user-service", audience: String = "user-service",
      outside: OutsideIssuer? = nil
    ) {
      self.keys = keys
      self.issuer = issuer
      self.audience = audience
      self.outside = outside
    }
  }

  /// A public key of the service's own.
  public struct PublicKey: Hashable, Sendable {
    /// Its name.
    public let kid: String
    /// Ed25519, 32 bytes in base64url.
    public let x: String
  }

  private struct Own {
    let ring: KeyRing
    let signer: KeyRing.Key
    let algorithm: any JWTAlgorithm
  }

  /// Checks tokens of the service and of the outside issuer.
  public let verifier: JWTVerifier
  /// Whether the service's own keys were made just now: tokens of others before them are no good any more.
  public let hasNewKeys: Bool
  private let configuration: Configuration
  private let own: Mutex<Own>
  private let keySet = Mutex<Data?>(nil)
  private let clock: @Sendable () -> Timestamp

  /// Reads the keys; makes the service's own if there are none.
  ///
  /// - Throws: `KeyFailure`.
  public init(
    _ configuration: Configuration, clock: @escaping @Sendable () -> Timestamp = { .now }
  ) async throws(KeyFailure) {
    let now = clock().date
    hasNewKeys = try configuration.keys.map { (file) throws(KeyFailure) in try file.read() == nil } ?? true
    let ring = try configuration.keys?.openOrCreate(now: now) ?? KeyRing(now: now)
    let (own, issuer) = try await Self.load(ring, configuration)
    verifier = JWTVerifier(clock: clock)
    verifier.trust(issuer)
    self.configuration = configuration
    self.own = Mutex(own)
    self.clock = clock
    _ = try await reloadKeySet()
  }

  /// The keys with which the service's own tokens can be verified.
  public var publicKeys: [PublicKey] {
    let now = clock().date
    return own.withLock { $0.ring.live(at: now).map { PublicKey(kid: $0.kid, x: $0.x) } }
  }

  /// Reads the files again, and uses what they hold now if it differs. Each is taken up by itself.
  ///
  /// - Returns: whether anything differs.
  /// - Throws: `KeyFailure` if a file cannot be used, in which case its keys from before stay in use.
  @discardableResult
  public func reload() async throws(KeyFailure) -> Bool {
    var failure: KeyFailure?
    var isNew = false
    do throws(KeyFailure) { isNew = try await reloadOwnKeys() } catch { failure = error }
    do throws(KeyFailure) { isNew = try await reloadKeySet() || isNew } catch { failure = failure ?? error }
    if let failure { throw failure }
    return isNew
  }

  private func reloadOwnKeys() async throws(KeyFailure) -> Bool {
    guard let file = configuration.keys else { return false }
    guard let ring = try file.read() else { throw KeyFailure(file.path, "the key file is gone") }
    guard own.withLock({ $0.ring != ring }) else { return false }
    let (own, issuer) = try await Self.load(ring, configuration)
    // In this order, so that nothing is signed with a key that is not trusted yet.
    verifier.trust(issuer)
    self.own.withLock { $0 = own }
    return true
  }

  private func reloadKeySet() async throws(KeyFailure) -> Bool {
    guard let outside = configuration.outside else { return false }
    let contents = try outside.read()
    guard keySet.withLock({ $0 != contents }) else { return false }
    verifier.trust(try await outside.trusted(contents))
    keySet.withLock { $0 = contents }
    return true
  }

  public func issue(_ claims: AccessTokenClaims) throws(UserError) -> String {
    let (kid, algorithm) = own.withLock { ($0.signer.kid, $0.algorithm) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let header = UnverifiedToken.Header(alg: algorithm.name, kid: kid, typ: "at+jwt")
      let payload = UnverifiedToken.Claims(
        iss: configuration.issuer, sub: claims.principal.subject,
        aud: UnverifiedToken.Strings([configuration.audience]), exp: claims.expiresAt.numericDate,
        iat: claims.issuedAt?.numericDate,
        scope: claims.principal.scopes.isEmpty
          ? nil : UnverifiedToken.Strings([claims.principal.scopes.names.joined(separator: " ")]),
        sid: (claims.session?.description).map { .init($0) }, epoch: claims.epoch.map { .init($0) },
        jti: .init(Base64URL.encode(SystemRandom.bytes(16))))
      let signed = try
        "\(Base64URL.encode(encoder.encode(header))).\(Base64URL.encode(encoder.encode(payload)))"
      return "\(signed).\(Base64URL.encode(try algorithm.sign(Data(signed.utf8))))"
    } catch {
      throw .signing("\(error)")
    }
  }

  private static func load(
    _ ring: KeyRing, _ configuration: Configuration
  ) async throws(KeyFailure) -> (Own, TrustedIssuer) {
    let path = configuration.keys?.path ?? "the keys in memory"
    guard let signer = ring.signer else { throw KeyFailure(path, "no key may sign") }
    do {
      let signing = JWTKeyCollection()
      await signing.add(eddsa: try EdDSA.PrivateKey(d: signer.d, curve: .ed25519))
      var keys: [VerificationKey] = []
      for key in ring.keys { keys.append(try await VerificationKey(key)) }
      let issuer = TrustedIssuer(
        name: configuration.issuer, audience: configuration.audience, algorithms: [.edDSA], keys: keys,
        isOwn: true)
      return (Own(ring: ring, signer: signer, algorithm: try await signing.getKey()), issuer)
    } catch {
      throw KeyFailure(path, "a key cannot be used")
    }
  }
}
