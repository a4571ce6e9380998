import Foundation
import Primitives

/// A file with one line, such as a token or a password.
enum SmallFile {
  private static let longest = 65_536

  /// Returns the line without its line ending and without a byte order mark; `-` is standard input.
  ///
  /// - Throws: `FileFailure` if the contents are not one line of UTF-8, or contain control characters, which would
  ///   become an invisible part of the secret.
  static func line(_ path: String) throws -> String {
    let name = path == "-" ? "standard input" : path
    let data: Data
    do {
      let handle =
        path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      data = try handle.readUpToEnd(longest)
    } catch {
      throw FileFailure("\(name) cannot be read")
    }
    if data.count > longest { throw FileFailure("\(name) has more than \(longest) bytes") }
    if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
      throw FileFailure("\(name) is UTF-16; save it as UTF-8")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw FileFailure("\(name) is not UTF-8")
    }
    return try line(of: text, name)
  }

  private static func line(of text: String, _ name: String) throws -> String {
    var line = text.unicodeScalars[...]
    if line.first == "\u{FEFF}" { line.removeFirst() }
    if line.last == "\n" {
      line.removeLast()
      if line.last == "\r" { line.removeLast() }
    }
    if line.isEmpty { throw FileFailure("\(name) is empty") }
    if line.contains(where: { "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0) }) {
      throw FileFailure("\(name) must have exactly one line")
    }
    if line.contains("\0") { throw FileFailure("\(name) contains a NUL: if it is UTF-16, save it as UTF-8") }
    if let control = line.first(where: { $0.properties.generalCategory == .control }) {
      throw FileFailure("\(name) has a control character, \(control.codePoint)")
    }
    return String(line)
  }
}

extension FileHandle {
  /// Reads to the end, or at most one byte more than `count`.
  fileprivate func readUpToEnd(_ count: Int) throws -> Data {
    var data = Data()
    while data.count <= count, let piece = try read(upToCount: count + 1 - data.count), !piece.isEmpty {
      data += piece
    }
    return data
  }
}
