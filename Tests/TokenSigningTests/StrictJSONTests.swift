import Testing

@testable import TokenSigning

@Suite struct StrictJSONTests {
  private func fault(_ text: String) -> StrictJSON.Fault? {
    do throws(StrictJSON.Fault) {
      try StrictJSON.check(Array(text.utf8))
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "JSON without duplicate member names passes",
    arguments: [
      "{}", "[]", " { } ", "0", "-0.5e+10", "true", "false", "null", #""""#,
      #"{"a": {"a": [{"a": 1}, {"a": 2}]}}"#,
      #"{"a": 1, "A": 2, "": 3, "\u0000": 4, "é": 5, "e\u0301": 6}"#, #"["\ud83d\ude00\"\\\/\b\f\n\r\t"]"#,
      "{\"a\"\t:\r\n1}", #"{"😀": 1}"#,
    ])
  func good(text: String) {
    #expect(fault(text) == nil)
  }

  @Test(
    "a duplicate member name is reported, however it is escaped",
    arguments: [
      (#"{"sub": 1, "sub": 1}"#, "sub"), (#"{"sub": 1, "x": 2, "s\u0075b": 3}"#, "sub"),
      (#"{"a": {"b": 1, "b": 2}}"#, "b"), (#"[1, {"": 1, "": 2}]"#, ""),
      (#"{"😀": 1, "\uD83d\uDe00": 2}"#, "😀"), (#"{"/": 1, "\/": 2}"#, "/"),
    ])
  func duplicates(text: String, name: String) {
    #expect(fault(text) == .duplicate(name))
  }

  @Test(
    "text that is not JSON is refused",
    arguments: [
      "", " ", "{", "}", "[1,]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a: 1}"#, "{'a': 1}", "01",
      "1.", ".5", "-",
      "1e", "+1", "tru", "nulll", "NaN", "1 2", #""a"#, "\"\n\"", #""\x""#, #""\u12""#, #""\ud800""#,
      #""\ud800\u0041""#,
      #""\udc00""#, "\u{feff}{}", #"{"a": 1 "b": 2}"#, "[1 2]", "// x\n1",
    ])
  func bad(text: String) {
    #expect(fault(text) == .malformed)
  }

  @Test("bytes that are not UTF-8, and endless nesting, are refused")
  func extremes() {
    #expect(throws: StrictJSON.Fault.malformed) { try StrictJSON.check([0x22, 0xff, 0x22]) }
    // UTF-16, which other parsers detect.
    #expect(throws: StrictJSON.Fault.malformed) { try StrictJSON.check([0x7b, 0, 0x7d, 0]) }
    let deepest = StrictJSON.deepest
    #expect(fault(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)) == nil)
    #expect(
      fault(String(repeating: "[", count: deepest + 1) + String(repeating: "]", count: deepest + 1))
        == .malformed)
    #expect(fault(String(repeating: "[", count: 1_000_000)) == .malformed)
  }
}
