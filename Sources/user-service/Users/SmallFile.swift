import Foundation

/// A file with one line, such as a token or a password.
enum SmallFile {
  private static let longest = 65_536

  /// The line, without its end; `-` is standard input.
  static func line(_ path: String) throws -> String {
    let data: Data
    do {
      let handle =
        path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      data = try handle.readUpToEnd(longest)
    } catch {
      throw FileFailure("\(path) cannot be read")
    }
    guard data.count <= longest, var text = String(validating: data, as: UTF8.self) else {
      throw FileFailure("\(path) is no line of UTF-8")
    }
    if text.hasSuffix("\r\n") { text.removeLast() } else if text.hasSuffix("\n") { text.removeLast() }
    guard !text.isEmpty, !text.contains(where: \.isNewline) else {
      throw FileFailure("\(path) is not one line")
    }
    return text
  }
}

extension FileHandle {
  /// All that there is, or one byte more than `count`.
  fileprivate func readUpToEnd(_ count: Int) throws -> Data {
    var data = Data()
    while data.count <= count, let piece = try read(upToCount: count + 1 - data.count), !piece.isEmpty {
      data += piece
    }
    return data
  }
}
