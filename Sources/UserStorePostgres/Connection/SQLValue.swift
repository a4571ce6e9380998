import UserDomain

/// A parameter of a statement, in the binary form of its type.
enum SQLValue: Sendable {
  case null
  /// `uuid`.
  case id(UserID)
  /// `uuid`, or `bytea`.
  case bytes([UInt8])
  /// `text`, or `bytea` with the text's UTF-8.
  case text(String)
  /// `bigint`.
  case integer(Int64)
  /// `smallint`.
  case small(Int16)
  /// `boolean`.
  case flag(Bool)
  /// An array, for many rows in one statement.
  case array(SQLArray)

  static func time(_ time: Timestamp) -> SQLValue { .integer(time.microsecondsSinceEpoch) }
  static func time(_ time: Timestamp?) -> SQLValue { time.map { .time($0) } ?? .null }
  static func text(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
  static func id(_ id: UserID?) -> SQLValue { id.map { .id($0) } ?? .null }

  /// Appends the value's bytes; nothing for NULL.
  func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: break
    case .id(let id): id.withUnsafeBytes { bytes.append(contentsOf: $0) }
    case .bytes(let value): bytes.append(contentsOf: value)
    case .text(var text): text.withUTF8 { bytes.append(contentsOf: $0) }
    case .integer(let number): bytes.append(bigEndian: number)
    case .small(let number): bytes.append(bigEndian: number)
    case .flag(let flag): bytes.append(flag ? 1 : 0)
    case .array(let array): array.write(to: &bytes)
    }
  }

  var isNull: Bool {
    if case .null = self { return true }
    return false
  }
}

/// An array of one dimension, in the binary form that `array_recv` of PostgreSQL takes: the numbers of dimensions, whether
/// there are NULLs, the element's type, the length and the lower bound, then each element after its length.
struct SQLArray: Sendable {
  /// The type of an element, by its object id (pg_type.dat of PostgreSQL).
  enum Element: Int32, Sendable {
    case bytea = 17
    case bigint = 20
    case smallint = 21
    case text = 25
    case uuid = 2950
  }

  private let element: Element
  private var elements: [UInt8] = []
  private(set) var count = 0
  private var hasNull = false

  init(_ element: Element, reserving bytes: Int = 0) {
    self.element = element
    elements.reserveCapacity(bytes)
  }

  mutating func append(_ value: SQLValue) {
    count += 1
    guard !value.isNull else {
      hasNull = true
      return elements.append(bigEndian: Int32(-1))
    }
    let start = elements.count
    elements.append(bigEndian: Int32(0))
    value.write(to: &elements)
    let length = Int32(elements.count - start - 4).bigEndian
    withUnsafeBytes(of: length) { elements.replaceSubrange(start..<start + 4, with: $0) }
  }

  fileprivate func write(to bytes: inout [UInt8]) {
    // An empty array has no dimension.
    bytes.append(bigEndian: Int32(count == 0 ? 0 : 1))
    bytes.append(bigEndian: Int32(hasNull ? 1 : 0))
    bytes.append(bigEndian: element.rawValue)
    if count == 0 { return }
    bytes.append(bigEndian: Int32(count))
    bytes.append(bigEndian: Int32(1))
    bytes.append(contentsOf: elements)
  }
}

extension SQLArray {
  init(_ element: Element, _ values: some Sequence<SQLValue>) {
    self.init(element)
    for value in values { append(value) }
  }
}

extension [UInt8] {
  fileprivate mutating func append(bigEndian number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }
}
