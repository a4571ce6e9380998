import Testing
import UserDomain

@Suite struct UserLabelsTests {
  @Test("labels are kept by ascending key, and read back")
  func kept() throws {
    let values = ["tenant": "a=b", "plan": "", "a-1": String(repeating: "é", count: 64)]
    let labels = try UserLabels(values)
    #expect(labels.byKey == values)
    #expect(labels.text.hasPrefix("a-1=é"))
    var read: [String: String] = [:]
    labels.forEach { key, value in
      let bytes = { (span: Span<UInt8>) in (0..<span.count).map { span[$0] } }
      read[String(decoding: bytes(key), as: UTF8.self)] = String(decoding: bytes(value), as: UTF8.self)
    }
    #expect(read == values)
    #expect(try UserLabels([:]) == UserLabels())
    #expect(UserLabels().byKey.isEmpty)
  }

  @Test(
    "keys that are not DNS labels are refused",
    arguments: ["", "-a", "a-", "A", "a.b", "a_b", "é", "a b", "a\n", String(repeating: "a", count: 64)])
  func keys(key: String) {
    #expect(throws: FieldViolation.self) { try UserLabels([key: "x"]) }
  }

  @Test("values that are too long or have control characters are refused")
  func values() throws {
    _ = try UserLabels([String(repeating: "a", count: 63): String(repeating: "x", count: 128)])
    for value in [String(repeating: "x", count: 129), "a\nb", "a\u{0}", "\u{2028}"] {
      #expect(throws: FieldViolation.self) { try UserLabels(["a": value]) }
    }
  }

  @Test("at most 16 labels are accepted")
  func count() throws {
    func labels(_ count: Int) -> [String: String] {
      Dictionary(uniqueKeysWithValues: (0..<count).map { ("key\($0)", "x") })
    }
    #expect(try UserLabels(labels(16)).byKey.count == 16)
    #expect(throws: FieldViolation.self) { try UserLabels(labels(17)) }
  }
}
