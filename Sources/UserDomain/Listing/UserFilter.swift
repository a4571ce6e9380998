/// Which users a listing is about. All its conditions must hold.
public struct UserFilter: Hashable, Sendable {
  /// A condition on a text, by its folded form: letter case makes no difference.
  public enum TextMatch: Hashable, Sendable {
    /// The whole text.
    case whole(String)
    /// The beginning of the text.
    case prefix(String)

    /// The text to look for.
    public var text: String {
      switch self {
      case .whole(let text), .prefix(let text): text
      }
    }

    /// Returns whether a text with this folded form meets the condition.
    public func matches(_ folded: some StringProtocol) -> Bool {
      switch self {
      // Compared as bytes, as the store does.
      case .whole(let text): folded.utf8.elementsEqual(text.utf8)
      case .prefix(let text): folded.utf8.starts(with: text.utf8)
      }
    }
  }

  /// A condition on `EmailAddress.uniquenessKey`.
  public var email: TextMatch?
  /// A condition on ``UserName/searchKey``.
  public var name: TextMatch?
  /// The status.
  public var status: UserStatus?
  /// The times of creation, in microseconds since the epoch.
  public var created: ClosedRange<Int64>?
  /// The times of the last change, in microseconds since the epoch.
  public var updated: ClosedRange<Int64>?
  /// The values that labels must have, by key.
  public var labels: [String: String] = [:]

  /// Creates a filter that every user passes.
  public init() {}

  /// The index that finds the users, and in whose order they are listed.
  public enum Order: Hashable, Sendable {
    /// The order of creation.
    case creation
    /// The order of addresses.
    case email(TextMatch)
    /// The order of names.
    case name(TextMatch)
    /// The order of ids, among the users with a label.
    case label(key: String, value: String)
    /// The order of ids, among inactive users.
    case inactive
    /// The order of the last change.
    case update
  }

  /// The order of the condition that is expected to leave the fewest users.
  public var order: Order {
    if let email { return .email(email) }
    if let name { return .name(name) }
    // The first by key, so that the order is the same for every page.
    if let (key, value) = labels.min(by: { $0.key < $1.key }) { return .label(key: key, value: value) }
    if status == .inactive { return .inactive }
    return updated == nil ? .creation : .update
  }

  /// Whether every user passes.
  public var isEmpty: Bool { self == UserFilter() }

  /// Returns whether a user passes all conditions except those of the order, which its index has met: the one on its
  /// address, or the one on its name where there is none on its address.
  public func passes(_ row: UserRow, name text: UTF8Span) -> Bool {
    if let status, row.status != status { return false }
    if let created, !created.contains(row.createdAt.microsecondsSinceEpoch) { return false }
    if let updated, !updated.contains(row.updatedAt.microsecondsSinceEpoch) { return false }
    if !labels.isEmpty, !labels.allSatisfy({ row.labels.has($0.key, $0.value) }) { return false }
    guard email != nil, let name else { return true }
    return name.matches(UserName(trusted: String(copying: text)).searchKey)
  }
}

extension UserName {
  /// The text by which names are searched: equal for names that differ only in letter case or composition.
  ///
  /// The store keeps the keys of names that are not ASCII: changing the rule needs a migration.
  public var searchKey: String { text.caseFolded }
}
