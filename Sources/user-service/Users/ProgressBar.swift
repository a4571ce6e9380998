import Foundation

/// Progress of an import or a copy as one line of a terminal. The caller supplies the time.
struct ProgressBar {
  /// The total size in bytes, or in rows; nil if unknown.
  let total: Int?
  /// What an earlier run has done of it.
  var start = 0
  /// What the rows are.
  var noun = "users"

  /// Formats the line for `done` of the total and `rows` rows in at most `width` columns. `newRows` of them were done in this
  /// run, which has lasted for `elapsed`.
  func line(done: Int, rows: Int, newRows: Int, elapsed: Duration, width: Int) -> String {
    let seconds = max(elapsed / .seconds(1), 0.001)
    var words = "\(Self.grouped(rows)) \(noun), \(Self.grouped(Int(Double(newRows) / seconds))) a second"
    guard let total, total > 0 else { return String(words.prefix(width)) }
    let part = min(Double(done) / Double(total), 1)
    if done > start {
      let remaining = Double(max(total - done, 0)) / Double(done - start) * seconds
      words += ", \(Self.words(for: remaining)) left"
    }
    let percent = String(format: "%3d %% ", Int(part * 100))
    let room = min(width - percent.count - words.count - 2, 40)
    guard room >= 5 else { return String((percent + words).prefix(width)) }
    let full = Int(Double(room) * part)
    let bar = String(repeating: "█", count: full) + String(repeating: "░", count: room - full)
    return "\(percent)\(bar)  \(words)"
  }

  private static func words(for seconds: Double) -> String {
    let whole = Int(min(seconds.rounded(.up), 1e9))
    if whole < 60 { return "\(whole) s" }
    if whole < 3_600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3_600) h \(whole % 3_600 / 60) min"
  }

  /// Formats a number as `1,234,567`.
  static func grouped(_ number: Int) -> String {
    var digits = String(number)
    var parts: [String] = []
    while digits.count > 3 {
      parts.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return ([digits] + parts).joined(separator: ",")
  }
}
