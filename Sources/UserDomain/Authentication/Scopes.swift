/// The rights of a token to all users: OAuth 2.0 scopes (RFC 6749 §3.3).
public struct Scopes: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// `users:read`: may read every user.
  public static let usersRead = Scopes(rawValue: 1)
  /// `users:write`: may change every user, and create many at once.
  public static let usersWrite = Scopes(rawValue: 2)

  /// Every scope with its name.
  public static let named: [(name: String, scope: Scopes)] = [
    ("users:read", .usersRead), ("users:write", .usersWrite),
  ]

  /// Creates the scopes with these names. Unknown names belong to other services and are ignored.
  public init(names: some Sequence<some StringProtocol>) {
    self = names.reduce(into: []) { scopes, name in
      if let known = Self.named.first(where: { $0.name == name }) { scopes.formUnion(known.scope) }
    }
  }

  /// The names, in the order of ``named``.
  public var names: [String] { Self.named.filter { contains($0.scope) }.map(\.name) }
}
