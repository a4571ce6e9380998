import UserDomain
import UserServiceClient

/// Finds rows of one file that have the same address or id. Keeps about 50 bytes a row.
struct DuplicateRows {
  /// The line of each address and id, by a hash of it. Hash values of 64 bits coincide once in 10⁷ files of a million rows.
  private var lines: [Int: Int] = [:]

  /// Records the row at `line`. Returns the problem of a row whose address or id an earlier row has, or else nil.
  mutating func problem(of user: ImportedUser, line: Int) -> String? {
    // The service reports addresses that are invalid.
    let key = (try? EmailAddress(user.email))?.uniquenessKey ?? user.email
    return problem("the address", key, line) ?? user.id.flatMap { problem("the id", $0.lowercased(), line) }
  }

  private mutating func problem(_ name: String, _ value: String, _ line: Int) -> String? {
    var hasher = Hasher()
    hasher.combine(name)
    hasher.combine(value)
    let hash = hasher.finalize()
    if let first = lines[hash] { return "\(name) is also on line \(first)" }
    lines[hash] = line
    return nil
  }
}
