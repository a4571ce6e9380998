import Foundation
import Testing

@testable import UserServiceApp

@Suite struct ConfigurationFileTests {
  @Test(
    "a syntax error is reported with line and column",
    arguments: [
      ("", "line 1, column 1: a value is missing"), ("{\"a\": ", "line 1, column 7: a value is missing"),
      ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: a comma or '}' is expected"),
      ("{\"a\": 1,}", "line 1, column 9: a name in quotes is expected"),
      ("{\"ä\": tru}", "line 1, column 7: a value is expected"),
      ("{\"a\": 01}", "line 1, column 7: a value is expected"),
      ("{\"a\" 1}", "line 1, column 6: a colon is expected"),
      ("{\"a\": \"x", "line 1, column 9: a closing quote is missing"),
      ("{} x", "line 1, column 4: the end of the file is expected"),
      (String(repeating: "[", count: 100), "line 1, column 65: less nesting is expected"),
    ])
  func violations(text: String, words: String) {
    #expect(JSONSyntax.firstError(in: Data(text.utf8))?.description == words)
  }

  @Test(
    "valid JSON is accepted",
    arguments: [
      "{}", " { \"a\" : [ 1 , -2.5e+3 , true, null, \"\\u00e9\\\"\" ] } \n", "\u{FEFF}{}", "[[],{}]", "5",
    ])
  func valid(text: String) {
    #expect(JSONSyntax.firstError(in: Data(text.utf8)) == nil)
  }
}
