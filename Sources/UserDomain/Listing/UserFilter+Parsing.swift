import Primitives

extension UserFilter {
  /// The maximum length of a filter's text in bytes.
  public static let maximumLength = 4_096

  static let field = "filter"

  /// Parses the filter that a client writes as `text`: comparisons joined by `AND`, a subset of AIP-160. Empty text is
  /// the filter that every user passes.
  ///
  /// - Throws: a violation of the field `filter` that names the character of the fault, counted from 1.
  public init(parsing text: String) throws(FieldViolation) {
    guard text.utf8.count <= Self.maximumLength else {
      throw FieldViolation(
        field: Self.field, reason: .tooLong, description: "must be at most \(Self.maximumLength) bytes")
    }
    self.init()
    var scanner = FilterScanner(text)
    if scanner.isAtEnd { return }
    repeat {
      try add(try scanner.comparison())
    } while try scanner.hasAnother()
  }

  private mutating func add(_ comparison: FilterScanner.Comparison) throws(FieldViolation) {
    switch comparison.field {
    case "email":
      try refuseSecond(email != nil, comparison)
      email = try Self.emailMatch(try comparison.text())
    case "name":
      try refuseSecond(name != nil, comparison)
      let value = try comparison.text()
      guard !value.text.isEmpty else { throw value.fault("must not be empty") }
      let key = UserName(trusted: value.text).searchKey
      name = value.isPrefix ? .prefix(key) : .whole(key)
    case "status":
      try refuseSecond(status != nil, comparison)
      status = try Self.status(try comparison.whole())
    case "create_time": created = try comparison.times(within: created)
    case "update_time": updated = try comparison.times(within: updated)
    default:
      guard comparison.field.hasPrefix("labels.") else {
        throw comparison.fault("is not email, name, status, create_time, update_time or labels.KEY")
      }
      let key = String(comparison.field.dropFirst("labels.".count))
      guard UserLabels.isKey(key) else { throw comparison.fault("is not labels. and the key of a label") }
      try refuseSecond(labels[key] != nil, comparison)
      labels[key] = try comparison.whole().text
    }
  }

  private func refuseSecond(
    _ isSecond: Bool, _ comparison: FilterScanner.Comparison
  ) throws(FieldViolation) {
    if isSecond { throw comparison.fault("comes twice") }
  }

  private static func emailMatch(_ value: FilterScanner.Value) throws(FieldViolation) -> TextMatch {
    if value.isPrefix { return .prefix(try emailPrefix(value)) }
    do throws(FieldViolation) {
      return .whole(try EmailAddress(ofAccount: value.text).uniquenessKey)
    } catch {
      throw value.fault("is not an e-mail address; write an asterisk behind the beginning of one")
    }
  }

  /// Returns the beginning of the keys of addresses that begin with the text.
  private static func emailPrefix(_ value: FilterScanner.Value) throws(FieldViolation) -> String {
    guard !value.text.isEmpty else { throw value.fault("must have more than an asterisk") }
    guard let (localPart, domain) = EmailAddress.split(value.text) else { return value.text.caseFolded }
    // A domain in another script is compared by its A-labels, which a part of it does not have.
    guard domain.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw value.fault("has an incomplete domain that is not ASCII; write the whole address")
    }
    return "\(localPart.caseFolded)@\(domain.lowercased())"
  }

  private static func status(_ value: FilterScanner.Value) throws(FieldViolation) -> UserStatus {
    switch value.text {
    case "ACTIVE", "USER_STATUS_ACTIVE": return .active
    case "INACTIVE", "USER_STATUS_INACTIVE": return .inactive
    default: throw value.fault("is not ACTIVE or INACTIVE")
    }
  }
}

extension FilterScanner.Comparison {
  /// The value of a comparison by `=`.
  fileprivate func text() throws(FieldViolation) -> FilterScanner.Value {
    guard sign == .equal else { throw fault("can only be compared by =") }
    return value
  }

  /// The value of a comparison by `=` that does not allow a prefix.
  fileprivate func whole() throws(FieldViolation) -> FilterScanner.Value {
    let value = try text()
    if value.isPrefix { throw value.fault("must not end in an asterisk") }
    return value
  }

  /// Returns the times that meet the comparison and are in `range`.
  fileprivate func times(within range: ClosedRange<Int64>?) throws(FieldViolation) -> ClosedRange<Int64> {
    guard !value.isPrefix, let (microseconds, isExact) = RFC3339.microseconds(of: value.text) else {
      throw value.fault("is not a time of RFC 3339, as 2026-01-31T00:00:00Z")
    }
    let range = range ?? .min ... .max
    var (lower, upper) = (range.lowerBound, range.upperBound)
    // No time that can be parsed is as early or as late as the bounds of no comparison.
    let isSecond =
      switch sign {
      case .atLeast, .after: lower != .min
      case .atMost, .before: upper != .max
      case .equal: false
      }
    if isSecond { throw fault("has two bounds on one side") }
    switch sign {
    // Stored times are whole microseconds: one with a fraction lies between two of them.
    case .atLeast: lower = isExact ? microseconds : microseconds + 1
    case .after: lower = microseconds + 1
    case .before: upper = isExact ? microseconds - 1 : microseconds
    case .atMost: upper = microseconds
    case .equal: throw fault("can only be compared by >=, >, < and <=")
    }
    guard lower <= upper else { throw fault("has bounds that no time is between") }
    return lower...upper
  }
}
