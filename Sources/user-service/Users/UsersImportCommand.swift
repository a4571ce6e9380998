import ArgumentParser
import Foundation
import UserFiles
import UserServiceClient

/// `user-service users import`.
struct UsersImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Create the users listed in a file.",
    discussion: """
      Reads CSV (RFC 4180) whose first line names the columns, or one JSON object a line: email, and optionally name and \
      password. Users are created active: ids and times of a listing are ignored, and its inactive users rejected.

      Users whose address is already registered are left unchanged, so an import can be repeated, even after it \
      was interrupted; --already lists their rows. Each password costs the service about 20 ms.

      Writes rejected rows, byte for byte, to a file of the same format, with their line number and the \
      reason: in CSV as two more columns, in JSON lines as an object on the line before. That file can be corrected and \
      imported.

      The file must be UTF-8. Use --raw or JSON for a listing that is to be imported: the ' that 'users list --output \
      csv' puts before formulas is not removed, and such rows are rejected.

      Exits with 0 if every user of the file is stored, with 1 if rows were rejected.
      """)

  @Argument(help: ArgumentHelp("Read FILE.csv or FILE.jsonl; - is standard input.", valueName: "file"))
  var file: String
  @Option(
    help: ArgumentHelp("Read csv or jsonl. (default: the file's extension)", valueName: "format"),
    transform: { name in
      guard let format = UserFileFormat(rawValue: name) else {
        throw ValidationError("must be csv or jsonl")
      }
      return format
    })
  var format: UserFileFormat?
  @Option(
    help: ArgumentHelp(
      "Write rejected rows to this file. (default: FILE.rejected.csv or .jsonl, with a number if it exists)",
      valueName: "path"))
  var rejected: String?
  @Option(
    help: ArgumentHelp(
      "Write rows whose address is already registered to this file, in the same form. (default: none)",
      valueName: "path"))
  var already: String?
  @Flag(help: "Do not show progress. Without a terminal, none is shown.")
  var quiet = false
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if format == nil, UserFileFormat(path: file) == nil {
      throw ValidationError("give --format: the file's name ends with neither .csv nor .jsonl")
    }
    for (option, path) in [("--rejected", rejected), ("--already", already)] {
      if let path, FileManager.default.fileExists(atPath: path) {
        throw ValidationError("\(option) must name a new file: \(path) exists")
      }
    }
    if let rejected, rejected == already {
      throw ValidationError("--rejected and --already must name two files")
    }
  }

  func run() async throws {
    // `validate` has rejected a file without a known format.
    let format = format ?? UserFileFormat(path: file) ?? .csv
    let source = try ImportSource(file, format)
    let rejected = RejectedRows(
      rejected ?? RejectedRows.freePath(file == "-" ? "import" : stem, format), format)
    let already = already.map { RejectedRows($0, format) }
    try rejected.check()
    try already?.check()
    let run = ImportRun(source, rejected: rejected, already: already, showsProgress: !quiet)
    do {
      try await connection.withClient { client in
        try await client.bulkCreateUsers(run.users) { batch in try run.take(batch) }
      }
      // The rows before the unreadable place are stored.
      if let failure = run.sourceFailure { throw failure }
    } catch {
      run.end()
      Terminal.note("Stopped after \(run.summary).")
      tellFiles(run, rejected, already)
      if error is UserServiceError {
        Terminal.note("Run the import again to continue: existing users are left unchanged.")
      }
      throw error
    }
    run.end()
    print(run.summary)
    tellFiles(run, rejected, already)
    if run.rejectedCount > 0 { throw ExitCode.failure }
  }

  private func tellFiles(_ run: ImportRun, _ rejected: RejectedRows, _ already: RejectedRows?) {
    if run.rejectedCount > 0 { Terminal.note("The rejected rows are in \(rejected.path).") }
    if let already, run.alreadyCount > 0 {
      Terminal.note("The rows of already registered users are in \(already.path).")
    }
  }

  private var stem: String {
    UserFileFormat(path: file).map { String(file.dropLast($0.rawValue.count + 1)) } ?? file
  }
}
