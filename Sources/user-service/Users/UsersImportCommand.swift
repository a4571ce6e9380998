import ArgumentParser
import Foundation
import UserFiles
import UserServiceClient

/// `user-service users import`.
struct UsersImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Creates the users of a file.",
    discussion: """
      CSV (RFC 4180) with a first line that names the columns, or a JSON object a line: email, and if wanted name and \
      password. The id and time of a listing are left out, and its inactive users rejected: users are created active.

      Users whose address is registered already are left as they are, so the same file can be imported again, also \
      after an import that broke off; --already lists their rows. A password costs the service some 20 ms.

      Rows that are rejected go to a file of the same format, byte for byte as they are, with their line and the \
      reason: in CSV as two more columns, in JSON lines as an object on the line before. Corrected, that file can be \
      imported; unchanged, its rows are rejected again.

      The file has to be UTF-8. A listing is imported as --raw or as JSON writes it: the ' that 'users list --output \
      csv' puts in front of formulas is not taken off again, and such rows are rejected.

      Exits with 0 if every user of the file is there now, with 1 if rows were rejected.
      """)

  @Argument(help: ArgumentHelp("FILE.csv or FILE.jsonl; - is standard input.", valueName: "file"))
  var file: String
  @Option(
    help: ArgumentHelp("csv or jsonl. (default: what the file's name ends with)", valueName: "format"),
    transform: { name in
      guard let format = UserFileFormat(rawValue: name) else {
        throw ValidationError("there are csv and jsonl")
      }
      return format
    })
  var format: UserFileFormat?
  @Option(
    help: ArgumentHelp(
      "Where rejected rows go. (default: FILE.rejected.csv or .jsonl, or with a number if that is there)",
      valueName: "path"))
  var rejected: String?
  @Option(
    help: ArgumentHelp(
      "Where rows go whose address is registered already, in the same form. (default: nowhere)",
      valueName: "path"))
  var already: String?
  @Flag(help: "Show no progress. Without a terminal there is none.")
  var quiet = false
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if format == nil, UserFileFormat(path: file) == nil {
      throw ValidationError("give --format: the file's name ends with neither .csv nor .jsonl")
    }
    for (option, path) in [("--rejected", rejected), ("--already", already)] {
      if let path, FileManager.default.fileExists(atPath: path) {
        throw ValidationError("\(option) must name a new file: there is a \(path)")
      }
    }
    if let rejected, rejected == already {
      throw ValidationError("--rejected and --already must name two files")
    }
  }

  func run() async throws {
    // `validate` has seen to that.
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
      // What comes before the place that makes no sense is there.
      if let failure = run.sourceFailure { throw failure }
    } catch {
      run.end()
      Terminal.note("Stopped after \(run.summary).")
      tellFiles(run, rejected, already)
      if error is UserServiceError {
        Terminal.note("It can be run again: users that are there are left as they are.")
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
      Terminal.note("The rows of users who are registered already are in \(already.path).")
    }
  }

  private var stem: String {
    UserFileFormat(path: file).map { String(file.dropLast($0.rawValue.count + 1)) } ?? file
  }
}
