import Foundation
import Testing

@testable import UserFiles

@Suite struct JSONReaderTests {
  @Test(
    "a text is read as Foundation reads it",
    arguments: [
      #"{"a": [1, -0.5e+10, 1E5, true, false, null, "x"], "b": {}, "c": []}"#, #""\" \\ \/ \b\f\n\r\t""#,
      #""é👩‍👩‍👧 \u00e9 \uD83D\uDE00""#, " \t\r\n1 ", "0", "-0", "0.5", #"{"": {"": [[[]]]}}"#, "\"\u{7F}\"",
    ])
  func valid(text: String) throws {
    let expected = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    #expect(Self.object(try JSONValue(text: text)) == expected as? NSObject)
  }

  private static func object(_ value: JSONValue) -> NSObject {
    switch value {
    case .object(let members):
      NSDictionary(
        objects: members.map { object($0.value) }, forKeys: members.map { NSString(string: $0.name) })
    case .array(let elements): NSArray(array: elements.map { object($0) })
    case .string(let text): NSString(string: text)
    case .number(let text): NSNumber(value: Double(text) ?? .nan)
    case .bool(let bool): NSNumber(value: bool)
    case .null: NSNull()
    }
  }

  @Test(
    "a text that RFC 8259 forbids is refused",
    arguments: [
      "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
      "{\"a\":1 \"b\":2}",
      "{1:2}", "[1}", "{\"a\":1]", "01", "1.", ".5", "-", "+1", "1e", "1e+", "0x1", "NaN", "tru", "truex",
      "nul", "\"",
      "\"a", "\"\n\"", "\"\u{0}\"", "\"\\x\"", "\"\\u12\"", "\"\\uD800\"", "\"\\uD800\\u0041\"",
      "\"\\uDC00\"", "\"\\",
      "\"\\u\"", "1 1", "'a'", "//", "[1]x", "\u{FEFF}1",
    ])
  func invalid(text: String) {
    #expect(throws: JSONReader.Fault.malformed) { try JSONValue(text: text) }
  }

  @Test("bytes that are not UTF-8 are refused")
  func encoding() {
    for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xE9, 0x22]] {
      #expect(throws: JSONReader.Fault.malformed) {
        try bytes.withUnsafeBufferPointer { bytes in
          var reader = JSONReader(bytes)
          _ = try reader.value()
        }
      }
    }
  }

  @Test("a text may have 64 levels, and no more")
  func depth() throws {
    func nested(_ count: Int) -> String {
      String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }
    _ = try JSONValue(text: nested(64))
    _ = try JSONValue(text: "[\(nested(63)), \(nested(63)), {\"a\": \(nested(62))}]")
    #expect(throws: JSONReader.Fault.tooDeep) { try JSONValue(text: nested(65)) }
    #expect(throws: JSONReader.Fault.tooDeep) {
      try JSONValue(text: String(repeating: "{\"a\":", count: 1_000_000))
    }
  }

  @Test("every beginning of a text, and every text with one other byte, is read or refused")
  func mutations() throws {
    let text = Array(#"{"a":[1.5e3,true,null,"\u00e9\n é"],"b":{"c":-0}}"#.utf8)
    func read(_ bytes: [UInt8]) {
      bytes.withUnsafeBufferPointer { bytes in
        var reader = JSONReader(bytes)
        _ = try? reader.value()
      }
    }
    for end in text.indices { read(Array(text[..<end])) }
    for index in text.indices {
      for byte: UInt8 in [0, 0x0A, 0x22, 0x2C, 0x5B, 0x5C, 0x5D, 0x75, 0x7B, 0x7D, 0x80, 0xFF] {
        var other = text
        other[index] = byte
        read(other)
      }
    }
  }
}
