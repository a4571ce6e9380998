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

  private struct State {
    let signer: KeyRing.Key
    let algorithm: any JWTAlgorithm
    let live: [KeyRing.Key]
    let keySet: Data?
  }

  /// Checks tokens of the service and of the outside issuer.
  public let verifier: JWTVerifier
  private let configuration: Configuration
  private let inMemory: KeyRing?
  private let state: Mutex<State>
  private let clock: @Sendable () -> Timestamp

  /// Reads the keys; makes the service's own if there are none.
  ///
  /// - Throws: `KeyFailure`.
  public init(
    _ configuration: Configuration, clock: @escaping @Sendable () -> Timestamp = { .now }
  ) async throws(KeyFailure) {
    let now = clock().date
    inMemory = configuration.keys == nil ? KeyRing(now: now) : nil
    let ring = try configuration.keys?.openOrCreate(now: now) ?? inMemory ?? KeyRing(now: now)
    let (state, issuers) = try await Self.load(configuration, ring, now: now)
    verifier = JWTVerifier(clock: clock)
    verifier.trust(issuers)
    self.configuration = configuration
    self.state = Mutex(state)
    self.clock = clock
  }

  /// The keys with which the service's own tokens can be verified.
  public var publicKeys: [PublicKey] {
    state.withLock { $0.live.map { PublicKey(kid: $0.kid, x: $0.x) } }
  }

  /// Reads the files again, and uses what they hold now if it differs.
  ///
  /// - Returns: whether it does.
  /// - Throws: `KeyFailure` if they cannot be used, in which case the keys from before stay in use.
  @discardableResult
  public func reload() async throws(KeyFailure) -> Bool {
    let now = clock().date
    let ring = try configuration.keys.map { (file) throws(KeyFailure) in
      guard let ring = try file.read() else { throw KeyFailure(file.path, "the key file is gone") }
      return ring
    }
    guard let ring = ring ?? inMemory else { return false }
    let keySet = try configuration.outside?.read()
    let isNew = state.withLock { $0.live != ring.live(at: now) || $0.keySet != keySet }
    guard isNew else { return false }
    let (next, issuers) = try await Self.load(configuration, ring, now: now)
    state.withLock { $0 = next }
    verifier.trust(issuers)
    return true
  }

  public func issue(_ claims: AccessTokenClaims) throws(UserError) -> String {
    let (kid, algorithm) = state.withLock { ($0.signer.kid, $0.algorithm) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let header = UnverifiedToken.Header(alg: algorithm.name, kid: kid, typ: "at+jwt")
      let payload = UnverifiedToken.Claims(
        iss: configuration.issuer, sub: claims.principal.subject,
        aud: UnverifiedToken.Audience([configuration.audience]), exp: claims.expiresAt.numericDate,
        iat: claims.issuedAt?.numericDate,
        scope: claims.principal.scopes.isEmpty ? nil : claims.principal.scopes.names.joined(separator: " "),
        sid: claims.session?.description, epoch: claims.epoch,
        jti: Base64URL.encode(SystemRandom.bytes(16)))
      let signed = try
        "\(Base64URL.encode(encoder.encode(header))).\(Base64URL.encode(encoder.encode(payload)))"
      return "\(signed).\(Base64URL.encode(try algorithm.sign(Data(signed.utf8))))"
    } catch {
      throw .signing("\(error)")
    }
  }

  private static func load(
    _ configuration: Configuration, _ ring: KeyRing, now: Date
  ) async throws(KeyFailure) -> (State, [TrustedIssuer]) {
    let path = configuration.keys?.path ?? "the keys in memory"
    guard let signer = ring.signer else { throw KeyFailure(path, "no key may sign") }
    let live = ring.live(at: now)
    let state: State
    var own: [VerificationKey] = []
    let keySet = try configuration.outside?.read()
    do {
      let key = try EdDSA.PrivateKey(d: signer.d, curve: .ed25519)
      let signing = JWTKeyCollection()
      await signing.add(eddsa: key)
      for key in live {
        own.append(
          try await VerificationKey(id: key.kid, ed25519: EdDSA.PublicKey(x: key.x, curve: .ed25519)))
      }
      state = State(
        signer: signer, algorithm: try await signing.getKey(), live: live, keySet: keySet)
    } catch {
      throw KeyFailure(path, "a key cannot be used")
    }
    var issuers = [
      TrustedIssuer(
        name: configuration.issuer, audience: configuration.audience, algorithms: [.edDSA], keys: own,
        isOwn: true)
    ]
    if let outside = configuration.outside, let keySet { issuers.append(try await outside.trusted(keySet)) }
    return (state, issuers)
  }
}

extension Timestamp {
  fileprivate var date: Date { Date(timeIntervalSince1970: Double(microsecondsSinceEpoch) / 1_000_000) }
}
