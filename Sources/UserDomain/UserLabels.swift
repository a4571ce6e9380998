/// The labels of a user: a few short texts by key, for the use of the teams that call the service.
///
/// Keys are DNS labels (RFC 1123 §2.1) in lower case. They are kept as one text, in which they are stored, so that a user
/// without labels costs nothing.
public struct UserLabels: Hashable, Sendable {
  /// The maximum number of labels.
  public static let maximumCount = 16
  /// The maximum length of a key in bytes.
  public static let maximumKeyLength = 63
  /// The maximum length of a value in bytes of UTF-8.
  public static let maximumValueLength = 128

  static let field = "labels"

  /// A line for each label, by ascending key: the key, `=`, the value and a line feed. Neither has a line feed, and a
  /// key no `=`. Empty without labels.
  public let text: String

  /// No labels.
  public init() { text = "" }

  /// Creates labels that were validated before, such as those read from the store.
  public init(trusted text: String) { self.text = text }

  /// Checks `labels`.
  ///
  /// - Throws: a violation of the field `labels`.
  public init(_ labels: [String: String]) throws(FieldViolation) {
    guard labels.count <= Self.maximumCount else {
      throw Self.violation(.outOfRange, "must have at most \(Self.maximumCount) entries")
    }
    var text = ""
    for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
      guard Self.isKey(key) else {
        throw Self.violation(
          .malformed,
          "must have keys of 1 to 63 lower-case letters, digits and hyphens, without a hyphen at either end")
      }
      try Self.check(value)
      text += "\(key)=\(value)\n"
    }
    self.text = text
  }

  /// Returns whether `text` can be a key.
  static func isKey(_ text: some StringProtocol) -> Bool {
    let hyphen = UInt8(ascii: "-")
    guard (1...maximumKeyLength).contains(text.utf8.count), text.utf8.first != hyphen else { return false }
    var last: UInt8 = 0
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), hyphen: last = byte
      default: return false
      }
    }
    return last != hyphen
  }

  private static func check(_ value: String) throws(FieldViolation) {
    guard value.utf8.count <= maximumValueLength else {
      throw violation(.tooLong, "must have values of at most \(maximumValueLength) bytes")
    }
    guard !value.unicodeScalars.contains(where: UserName.isForbidden) else {
      throw violation(.forbiddenCharacter, "must have values without control characters or line separators")
    }
  }

  private static func violation(_ reason: FieldViolation.Reason, _ description: String) -> FieldViolation {
    FieldViolation(field: field, reason: reason, description: description)
  }
}

extension UserLabels {
  /// Whether there are no labels.
  public var isEmpty: Bool { text.isEmpty }

  /// Calls `body` with the UTF-8 of each label, by ascending key.
  public func forEach(_ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Void) {
    if text.isEmpty { return }
    let bytes = text.utf8Span.span
    var start = 0
    while start < bytes.count {
      var separator: Int?
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: "\n") {
        if separator == nil, bytes[end] == UInt8(ascii: "=") { separator = end }
        end += 1
      }
      // Only another program can have stored a line without a key.
      if let separator { body(bytes.extracting(start..<separator), bytes.extracting(separator + 1..<end)) }
      start = end + 1
    }
  }

  /// The labels by key.
  public var byKey: [String: String] {
    var labels: [String: String] = [:]
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 {
        labels[String(decoding: parts[0], as: UTF8.self)] = String(decoding: parts[1], as: UTF8.self)
      }
    }
    return labels
  }

  /// Returns whether a label with `key` has this value.
  func has(_ key: String, _ value: String) -> Bool {
    let bytes = text.utf8
    let line = "\(key)=\(value)\n".utf8
    var start = bytes.startIndex
    while start < bytes.endIndex {
      if bytes[start...].starts(with: line) { return true }
      guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else { return false }
      start = bytes.index(after: end)
    }
    return false
  }
}
