import Foundation
import JWTKit
import Primitives
import Synchronization
public import UserDomain

/// Signs access tokens with the service's own keys, and keeps the verifier up to date with the key files.
public final class TokenAuthority: AccessTokenIssuer {
  /// The names that the service signs with, and the outside issuer that it trusts.
  public struct Configuration: Hashable, Sendable {
    /// The file of the service's own keys; nil for keys that live only as long as this object.
    public var keys: KeyFile?
    /// The `iss` of the service's own tokens.
    public var issuer: String
    /// The `aud` of the service's own tokens.
    public var audience: String
    /// Another trusted issuer.
    public var outside: OutsideIssuer?

    /// Creates a configuration.
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

  private struct Own {
    let ring: KeyRing
    let believed: [KeyRing.Key]
    let signer: KeyRing.Key
    let algorithm: any JWTAlgorithm
  }

  /// The state of the files, changed by one look at a time.
  private struct Files {
    var ownContents: Data?
    var ownProblem = CurrentProblem<KeyFailure>()
    var retirement = KeyRetirement()
    /// The key set in use; nil while the outside issuer is not trusted.
    var keySet: PrivateFile?
    var keySetProblem = CurrentProblem<KeyFailure>()
    /// The uptime since which the key set is unusable.
    var keySetFailsSince: Duration?
  }

  /// Verifies tokens of the service and of the outside issuer.
  public let verifier: JWTVerifier
  /// Whether the service's own keys are new: tokens of previous keys are refused.
  public let hasNewKeys: Bool
  private let configuration: Configuration
  private let own: Mutex<Own>
  private let files: Mutex<Files>
  private let looks = KeyLook()
  private let clock: @Sendable () -> Timestamp
  private let uptime: @Sendable () -> Duration
  private let report: @Sendable (KeyEvent) -> Void

  /// The minimum time between two looks requested by calls.
  static let refreshSpacing: Duration = .milliseconds(250)

  /// Reads the keys, and creates the service's own keys if missing.
  ///
  /// - Parameter report: called with each event of the key files, also of later looks.
  /// - Throws: `KeyFailure`.
  public convenience init(
    _ configuration: Configuration, report: @escaping @Sendable (KeyEvent) -> Void = { _ in }
  ) async throws(KeyFailure) {
    try await self.init(configuration, clock: { .now }, uptime: { Uptime.now }, report: report)
  }

  /// Creates the same with other clocks: a wall clock, and a monotonic one.
  init(
    _ configuration: Configuration, clock: @escaping @Sendable () -> Timestamp,
    uptime: @escaping @Sendable () -> Duration, report: @escaping @Sendable (KeyEvent) -> Void = { _ in }
  ) async throws(KeyFailure) {
    let now = clock().date
    hasNewKeys = try configuration.keys.map { (file) throws(KeyFailure) in try file.read() == nil } ?? true
    let ring = try configuration.keys?.openOrCreate(now: now) ?? KeyRing(now: now)
    var files = Files()
    let believed = files.retirement.believed(of: ring, now: now, uptime: uptime())
    let (own, issuer) = try await Self.load(ring, believed, configuration)
    verifier = JWTVerifier(clock: clock)
    verifier.trust(issuer)
    self.configuration = configuration
    self.own = Mutex(own)
    self.files = Mutex(files)
    self.clock = clock
    self.uptime = uptime
    self.report = report
    guard let outside = configuration.outside else { return }
    for event in try await readKeySet(of: outside) {
      // An operator expects the keys to be loaded at the start.
      if case .reloaded(_, 1...) = event { continue }
      report(event)
    }
  }

  /// The keys that verify the service's own tokens now.
  public var publicKeys: [AccessTokenKey] {
    let now = clock().date
    return own.withLock { own in
      own.ring.live(at: now).filter(own.believed.contains).map { AccessTokenKey(kid: $0.kid, x: $0.x) }
    }
  }

  /// Reads the files again, and uses their content if it has changed. Each file is independent of the others.
  ///
  /// - Returns: the changes since the last look, which were also reported.
  @discardableResult
  public func reload() async -> [KeyEvent] {
    await looks.run(spacing: .zero) { await self.look() }
  }

  /// Reads the files for a call whose token names an unknown key. Waiting calls share a look, and looks are
  /// ``refreshSpacing`` apart. So invented key ids cost four short reads per second, and each call a wait.
  public func refresh() async {
    _ = await looks.run(spacing: Self.refreshSpacing) { await self.look() }
  }

  private func look() async -> [KeyEvent] {
    var events: [KeyEvent] = []
    if let file = configuration.keys, let event = await lookAtOwnKeys(in: file) { events.append(event) }
    if let outside = configuration.outside { events += await lookAtKeySet(of: outside) }
    for event in events { report(event) }
    return events
  }

  // MARK: The service's own keys

  private func lookAtOwnKeys(in file: KeyFile) async -> KeyEvent? {
    var ring = own.withLock { $0.ring }
    var event: KeyEvent?
    do throws(KeyFailure) {
      guard let contents = try file.contents() else { throw KeyFailure(file.path, "the key file is missing") }
      if files.withLock({ $0.ownContents != contents }) {
        let read = try file.ring(contents)
        if read != ring { event = .reloaded(file: file.path, keys: read.keys.count) }
        ring = read
      }
      // Done even without a change: a retired key may have expired.
      try await use(ring)
      files.withLock { files in
        files.ownContents = contents
        files.ownProblem.changes(to: nil)
      }
      return event
    } catch {
      return await ownKeysFailed(error)
    }
  }

  private func ownKeysFailed(_ failure: KeyFailure) async -> KeyEvent? {
    // The keys in use stay, and can expire. They were loaded before, so loading them again succeeds.
    try? await use(own.withLock { $0.ring })
    return files.withLock { $0.ownProblem.changes(to: failure) ? .failed(failure) : nil }
  }

  private func use(_ ring: KeyRing) async throws(KeyFailure) {
    let believed = files.withLock { $0.retirement.believed(of: ring, now: clock().date, uptime: uptime()) }
    guard own.withLock({ $0.ring != ring || $0.believed != believed }) else { return }
    let (own, issuer) = try await Self.load(ring, believed, configuration)
    // The order matters: nothing may be signed with a key that is not trusted yet.
    verifier.trust(issuer)
    self.own.withLock { $0 = own }
  }

  // MARK: The outside issuer's keys

  private func lookAtKeySet(of outside: OutsideIssuer) async -> [KeyEvent] {
    do throws(KeyFailure) {
      return try await readKeySet(of: outside)
    } catch {
      return keySetFailed(error, of: outside).map { [$0] } ?? []
    }
  }

  private func readKeySet(of outside: OutsideIssuer) async throws(KeyFailure) -> [KeyEvent] {
    let file = try outside.read()
    var events: [KeyEvent] = []
    if files.withLock({ $0.keySet != file }) {
      let (issuer, ignored) = try await outside.trusted(file)
      verifier.trust(issuer)
      events.append(.reloaded(file: outside.keySet, keys: issuer.keys.count))
      events += ignored.map { .keyIgnored(file: outside.keySet, key: $0.key, reason: $0.reason) }
    }
    files.withLock { files in
      files.keySet = file
      files.keySetProblem.changes(to: nil)
      files.keySetFailsSince = nil
    }
    return events
  }

  private func keySetFailed(_ failure: KeyFailure, of outside: OutsideIssuer) -> KeyEvent? {
    let now = uptime()
    return files.withLock { files in
      let since = files.keySetFailsSince ?? now
      files.keySetFailsSince = since
      if files.keySet != nil, now - since >= OutsideIssuer.graceForUnreadableKeys {
        files.keySet = nil
        files.keySetProblem.changes(to: failure)
        verifier.trust(outside.trusting([]))
        return .trustEnded(failure)
      }
      return files.keySetProblem.changes(to: failure) ? .failed(failure) : nil
    }
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
        jti: .init((claims.tokenID ?? .random()).description))
      let signed = try
        "\(Base64URL.encode(encoder.encode(header))).\(Base64URL.encode(encoder.encode(payload)))"
      return "\(signed).\(Base64URL.encode(try algorithm.sign(Data(signed.utf8))))"
    } catch {
      throw .signing("\(error)")
    }
  }

  private static func load(
    _ ring: KeyRing, _ believed: [KeyRing.Key], _ configuration: Configuration
  ) async throws(KeyFailure) -> (Own, TrustedIssuer) {
    let path = configuration.keys?.path ?? "the keys in memory"
    guard let signer = ring.signer else { throw KeyFailure(path, "no key can sign") }
    do {
      let signing = JWTKeyCollection()
      await signing.add(eddsa: try EdDSA.PrivateKey(d: signer.d, curve: .ed25519))
      var keys: [VerificationKey] = []
      for key in believed { keys.append(try await VerificationKey(key)) }
      let issuer = TrustedIssuer(
        name: configuration.issuer, audience: configuration.audience, algorithms: [.edDSA], keys: keys,
        rules: nil)
      let algorithm = try await signing.getKey()
      return (Own(ring: ring, believed: believed, signer: signer, algorithm: algorithm), issuer)
    } catch {
      throw KeyFailure(path, "a key cannot be used")
    }
  }
}
