import Testing

@testable import user_service

@Suite struct TerminalTests {
  private static func bar(_ full: Int, _ empty: Int) -> String {
    String(repeating: "█", count: full) + String(repeating: "░", count: empty)
  }

  @Test(
    "progress fits the terminal, and shows what is known",
    arguments: [
      (50, 100, 79, " 50 % \(bar(17, 18))  1,234 users, 123 a second, 10 s left"),
      (100, 100, 200, "100 % \(bar(40, 0))  1,234 users, 123 a second, 0 s left"),
      (0, 100, 60, "  0 % \(bar(0, 27))  1,234 users, 123 a second"),
      (1, 1_000, 79, "  0 % \(bar(0, 29))  1,234 users, 123 a second, 2 h 46 min left"),
      (50, 100, 20, " 50 % 1,234 users, 1"), (50, nil, 79, "1,234 users, 123 a second"),
      (50, 0, 79, "1,234 users, 123 a second"), (50, nil, 5, "1,234"),
    ])
  func progress(done: Int, total: Int?, width: Int, line: String) {
    let shown = ProgressBar(total: total).line(
      done: done, rows: 1_234, newRows: 1_234, elapsed: .seconds(10), width: width)
    #expect(shown == line)
    #expect(shown.count <= width)
  }

  @Test("an import that continues has the rate and the remaining time of its own rows")
  func continued() {
    let line = ProgressBar(total: 1_000, start: 600).line(
      done: 800, rows: 8_000, newRows: 2_000, elapsed: .seconds(10), width: 60)
    #expect(line == " 80 % \(Self.bar(12, 4))  8,000 users, 200 a second, 10 s left")
    let first = ProgressBar(total: 1_000, start: 600).line(
      done: 600, rows: 6_000, newRows: 0, elapsed: .zero, width: 60)
    #expect(first.hasPrefix(" 60 % ") && !first.contains("left"))
  }

  @Test(
    "numbers have thousands separators",
    arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")])
  func grouped(number: Int, text: String) {
    #expect(ProgressBar.grouped(number) == text)
  }

  @Test("no control characters are sent to a terminal")
  func harmless() {
    #expect(Terminal.harmless("é 👩‍👩‍👧 x") == "é 👩‍👩‍👧 x")
    #expect(Terminal.harmless("a\u{202E}b\u{2067}") == "a�b�")
    #expect(Terminal.harmless("a\u{1B}[31m\u{9B}\r\n\u{7}") == "a�[31m����")
  }
}
