import GRPCNghttp2Transport
import TokenSigning
import UserDomain

extension SettingSection {
  /// The settings of the database, callers and passwords, which have no flags.
  static let callers = SettingSection(
    title: "Database, authentication, hashing, limits of callers",
    introduction: "These have no flags.",
    settings: database + ownTokens + outsideTokens + passwords + limits,
    remarks: nil)

  private static let database = [
    Setting(
      "busy.timeout", \.busyTimeout, .duration(.zero ... .seconds(600)),
      "Let a write wait at most this long while another process holds the database's lock.",
      note: "A write that waits longer is refused with UNAVAILABLE.")
  ]

  private static let ownTokens = [
    Setting(
      "auth.keys", \.auth.keyFile, .path(unset: "DATABASE.keys"),
      "Keep the service's signing keys in this file.",
      note:
        """
        With a database in memory, the keys are in memory by default; with PostgreSQL, in the file user-service.keys.
        """
    ),
    Setting(
      "auth.issuer", \.auth.issuer, .text("a name"), "Issue tokens under this name (iss)."),
    Setting(
      "auth.audience", \.auth.audience, .text("a name"),
      "Issue tokens for this audience (aud)."),
    Setting(
      "auth.access.lifetime", \.auth.sessions.accessLifetime,
      .duration(.seconds(1)...SessionPolicy.longestAccessLifetime),
      "Let access tokens expire after this long.",
      note: "At most as long as `auth.refresh.lifetime`."),
    Setting(
      "auth.refresh.lifetime", \.auth.sessions.refreshLifetime, .duration(.seconds(1) ... .longest),
      "Let unused refresh tokens expire after this long.", note: "At most as long as `auth.session.lifetime`."
    ),
    Setting(
      "auth.session.lifetime", \.auth.sessions.sessionLifetime, .duration(.seconds(1) ... .longest),
      "End sessions after this long, however often they are refreshed."),
    Setting(
      "auth.reflection.public", \.auth.reflectionIsPublic, .truth,
      "Answer server reflection without a token.", note: "`false`: it needs the scope `users:read`."),
  ]

  private static let outsideTokens = [
    Setting(
      "auth.jwks.file", \.auth.outsideKeySet, .path(unset: "none"),
      "Accept the tokens of another issuer, whose public keys are in this JWK Set.",
      note: "Needs `auth.jwks.issuer`."),
    Setting(
      "auth.jwks.issuer", \.auth.outsideIssuer, .optional(.text("a name"), unset: "none"),
      "Require this issuer in the other issuer's tokens (iss).", note: "Needs `auth.jwks.file`."),
    Setting(
      "auth.jwks.audience", \.auth.outsideAudience, .optional(.text("a name"), unset: "auth.audience"),
      "Require this audience in the other issuer's tokens (aud)."),
    Setting(
      "auth.jwks.algorithms", \.auth.outsideAlgorithms, .algorithms,
      "Accept these signature algorithms in the other issuer's tokens."),
    Setting(
      "auth.jwks.type", \.auth.outsideRules.type, .choice,
      "Accept the other issuer's tokens of this type (typ).",
      note: "`at+jwt` is that of RFC 9068; `any` also accepts `JWT` and tokens without a type."),
    Setting(
      "auth.jwks.max.lifetime", \.auth.outsideRules.longestLifetime, .duration(.seconds(1) ... .longest),
      "Refuse the other issuer's tokens that are valid for longer (from iat to exp).",
      note: "The lifetime is counted from the call if `iat` is missing or in the future."),
    Setting(
      "auth.jwks.users", \.auth.outsideRules.mayBeUsers, .truth,
      "Let the other issuer's tokens act for the users that they name (sub).",
      note: "`false`: such a token has only its scopes."),
  ]

  private static let passwords = [
    Setting(
      "password.min.length", \.passwords.minimumLength, .whole(PasswordPolicy.minimumLengthBounds),
      "Require at least this many characters in a new password.",
      note: "Unicode scalars after NFKC normalisation are counted."),
    Setting(
      "argon2.threads", \.passwords.threads,
      .optional(.whole(1...1_024), unset: "one a core", mayBeEmpty: false),
      "Compute at most this many password hashes at once."),
    Setting(
      "argon2.queue", \.passwords.queueLength, .whole(0...1_000_000),
      "Let at most this many password hashes wait for a thread or memory."),
    Setting(
      "argon2.budget", \.passwords.budgetKiB, .whole(PasswordConfiguration.budgetBounds),
      "Let running password hashes use at most this many KiB of memory together.",
      note: "It must be at least `argon2.memory`. A stored hash that needs more cannot be checked."),
  ]

  private static let limits = [
    Setting(
      "peer.rate", \.auth.peerRate, .orNone(.number(0.001...1_000_000)),
      "Let one network make at most this many costly calls a second without a token.",
      note: """
        A network is an IPv4 address or an IPv6 /64 \
        ([what counts](authentication.md#limits-of-callers)); `none` is no limit.
        """),
    Setting(
      "peer.burst", \.auth.peerBurst, .whole(1...1_000_000),
      "Let one network make at most this many costly calls at once without a token."),
    Setting(
      "unix.socket.mode", \.transport.unixSocketMode, .permissions,
      "Create Unix-domain sockets with these permissions, regardless of the umask."),
  ]
}
