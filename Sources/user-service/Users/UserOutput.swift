import ArgumentParser
import Foundation
import Primitives
import UserFiles
import UserServiceClient

/// Writes users to standard output, a page at a time.
struct UserOutput {
  private let format: OutputOptions.Format
  private let isRaw: Bool
  private let isColoured: Bool
  private var hasHeader = false
  /// Column widths of the first page; later pages keep them so that the columns do not move.
  private var table = TextTable()

  /// - Parameter isRaw: whether CSV fields that a spreadsheet would read as formulas are written unchanged.
  init(_ format: OutputOptions.Format, isRaw: Bool) {
    self.format = format
    self.isRaw = isRaw
    // https://no-color.org
    isColoured =
      isatty(STDOUT_FILENO) == 1 && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
  }

  /// Writes `users`; the first call writes a header before them.
  ///
  /// - Throws: `ExitCode` when the reader has closed the pipe, and other errors of writing.
  mutating func show(_ users: [User]) throws {
    defer { hasHeader = true }
    var text = ""
    switch format {
    case .json, .csv:
      let writer = UserFileWriter(format == .csv ? .csv : .jsonl, isForSpreadsheets: !isRaw)
      if !hasHeader { text = writer.listingHeader }
      for user in users { text += writer.line(user) }
    case .table:
      let rows = users.map(Self.cells)
      if !hasHeader {
        table = TextTable(fitting: [Self.columns] + rows)
        text = line(Self.columns, style: .bold)
      }
      for (user, row) in zip(users, rows) {
        text += line(row, style: user.deletedAt == nil && user.status == .active ? .plain : .faint)
      }
    }
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      // `user-service users list | head` has closed the pipe.
      if errno == EPIPE { throw ExitCode.success }
      throw error
    }
  }

  private static let columns = ["ID", "EMAIL", "NAME", "STATUS", "CREATED"]

  private static func cells(_ user: User) -> [String] {
    let status = user.deletedAt == nil ? user.status.description : "deleted"
    return [user.id, user.email, user.name, status, user.createdAt.rfc3339(.seconds)].map(Terminal.harmless)
  }

  private enum Style: String {
    case plain = ""
    case bold = "\u{1B}[1m"
    case faint = "\u{1B}[2m"
  }

  private func line(_ cells: [String], style: Style) -> String {
    let text = table.line(cells)
    return (isColoured && style != .plain ? style.rawValue + text + "\u{1B}[0m" : text) + "\n"
  }
}
