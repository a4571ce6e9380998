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

  /// `users:import`: may store users with ids, times and password hashes of their own.
  public static let usersImport = Scopes(rawValue: 4)
  /// `users:export`: may read every user, deleted ones included, in the form of an import.
  public static let usersExport = Scopes(rawValue: 8)
  /// `users:export-hashes`: may also have their password hashes.
  public static let usersExportHashes = Scopes(rawValue: 16)

  /// Every scope with its name.
  public static let named: [(name: String, scope: Scopes)] = [
    ("users:read", .usersRead), ("users:write", .usersWrite), ("users:import", .usersImport),
    ("users:export", .usersExport), ("users:export-hashes", .usersExportHashes),
  ]

  /// All scopes.
  public static let all = named.reduce(into: Scopes()) { $0.formUnion($1.scope) }

  /// Creates the scopes with these names. Unknown names belong to other services and are ignored.
  public init(names: some Sequence<some StringProtocol>) {
    self = names.reduce(into: []) { scopes, name in
      if let known = Self.named.first(where: { $0.name == name }) { scopes.formUnion(known.scope) }
    }
  }

  /// The names, in the order of ``named``.
  public var names: [String] { Self.named.filter { contains($0.scope) }.map(\.name) }
}
