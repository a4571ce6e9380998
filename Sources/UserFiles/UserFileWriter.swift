import Foundation
public import UserServiceClient

/// Writes users, and rows that are none, as lines of a file. A value without I/O.
public struct UserFileWriter: Sendable {
  private let format: UserFileFormat

  /// A writer of that format.
  public init(_ format: UserFileFormat) {
    self.format = format
  }

  /// The line before the first user, if the format has one; with its line end, as all that it returns.
  public var listingHeader: String {
    switch format {
    case .csv: Self.csv(UserColumn.listed.map(\.rawValue))
    case .jsonl: ""
    }
  }

  /// A user as a listing has it.
  public func line(_ user: User) -> String {
    let values = [user.id, user.email, user.name, user.status.description, user.createdAt.rfc3339]
    switch format {
    case .csv: return Self.csv(values)
    case .jsonl: return Self.json(Array(zip(UserColumn.listed.map(\.rawValue), values)))
    }
  }

  /// The line before the first rejected row, if the format has one.
  public func rejectedHeader(_ header: [String]) -> String {
    switch format {
    // In front, so that a row with too many fields has them in their place too.
    case .csv: Self.csv([UserColumn.line.rawValue, UserColumn.reason.rawValue] + Self.own(header, header))
    case .jsonl: ""
    }
  }

  /// A rejected row: what the file said, with its line and what is wrong with it. Corrected, it can be read again.
  public func rejected(_ row: UserFileRow, _ header: [String], reason: String) -> String {
    let why = [(UserColumn.line.rawValue, String(row.line)), (UserColumn.reason.rawValue, reason)]
    switch format {
    case .csv:
      return Self.csv(why.map(\.1) + Self.own(row.original, header))
    case .jsonl:
      let text = row.original.first ?? ""
      let object = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
      // Not an object: kept as text.
      guard var object else { return Self.json([("text", text)] + why) }
      for (name, value) in why { object[name] = value }
      let data = try? JSONSerialization.data(
        withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
      // What was decoded can be encoded.
      return String(decoding: data ?? Data(), as: UTF8.self) + "\n"
    }
  }

  /// The fields of a row but for those that tell why it was rejected before.
  private static func own(_ fields: [String], _ header: [String]) -> [String] {
    fields.enumerated().filter { index, _ in
      guard index < header.count else { return true }
      let name = header[index].trimmingCharacters(in: .whitespaces).lowercased()
      return ![UserColumn.line.rawValue, UserColumn.reason.rawValue].contains(name)
    }.map(\.1)
  }

  /// A record of those fields: RFC 4180, but for the line end, which is the one of other commands.
  static func csv(_ fields: [String]) -> String {
    fields.map { field in
      let isPlain = field.utf8.allSatisfy { !",\"\r\n".utf8.contains($0) }
      // An only field that is empty would be an empty line.
      if isPlain, !(fields.count == 1 && field.isEmpty) { return field }
      return "\"\(field.replacing("\"", with: "\"\""))\""
    }.joined(separator: ",") + "\n"
  }

  /// An object with those keys, in their order.
  private static func json(_ pairs: [(String, String)]) -> String {
    "{" + pairs.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}\n"
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Every string has a JSON text.
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}

extension Date {
  /// RFC 3339 in UTC with microseconds, as the service has them.
  package var rfc3339: String {
    let microseconds = Int64((timeIntervalSince1970 * 1_000_000).rounded())
    let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    // Before 1970 the rest is negative.
    let (whole, fraction) = rest < 0 ? (seconds - 1, rest + 1_000_000) : (seconds, rest)
    let text = Date(timeIntervalSince1970: TimeInterval(whole)).formatted(.iso8601)
    return text.dropLast() + "." + String(String(1_000_000 + fraction).dropFirst()) + "Z"
  }
}
