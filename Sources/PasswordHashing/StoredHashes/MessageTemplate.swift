/// The message of a digest: text in which `{PASSWORD}` and `{SALT}` are replaced.
struct MessageTemplate: Sendable {
  private enum Part {
    case password
    case salt
    case text([UInt8])
  }

  private let parts: [Part]

  static let password = MessageTemplate(parts: [.password])
  static let passwordThenSalt = MessageTemplate(parts: [.password, .salt])
  static let saltThenPassword = MessageTemplate(parts: [.salt, .password])

  private init(parts: [Part]) {
    self.parts = parts
  }

  /// Parses a template in base64. It must have the password at least once.
  init(_ text: Substring, _ fields: HashFields) throws(StoredHashError) {
    var rest = try fields.base64(text, "template", 1...256)[...]
    var parts: [Part] = []
    var hasPassword = false
    var literal: [UInt8] = []
    while let byte = rest.first {
      if rest.starts(with: "{PASSWORD}".utf8) {
        parts += [.text(literal), .password]
        (literal, hasPassword) = ([], true)
        rest = rest.dropFirst(10)
      } else if rest.starts(with: "{SALT}".utf8) {
        parts += [.text(literal), .salt]
        literal = []
        rest = rest.dropFirst(6)
      } else {
        literal.append(byte)
        rest = rest.dropFirst()
      }
    }
    guard hasPassword else { throw fields.malformed("has a template without {PASSWORD}") }
    self.parts = parts + [.text(literal)]
  }

  /// Returns the message. A password or salt that has the text of a placeholder is not replaced again.
  func fill(password: [UInt8], salt: [UInt8]) -> [UInt8] {
    parts.flatMap { part in
      switch part {
      case .password: password
      case .salt: salt
      case .text(let text): text
      }
    }
  }
}
