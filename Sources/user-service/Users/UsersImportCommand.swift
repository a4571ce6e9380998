import ArgumentParser
import Foundation
import UserFiles
import UserServiceClient

/// `user-service users import`.
struct UsersImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Import the users in a file, with their ids, times and password hashes.",
    discussion: """
      Reads CSV (RFC 4180) whose first line names the columns, or one JSON object a line: email, and optionally id, name, \
      status, created_at, updated_at, deleted_at, purge_at, labels (a JSON object), password_hash and password. 'users \
      export' writes such files. --format names the exports of other systems. Needs a token with the scope users:import.

      Users that are already stored are left unchanged, so an import can be repeated; --already lists their rows. An \
      interrupted import continues where it stopped: until it is complete, FILE.progress records how far it has come. \
      Each password costs the service about 20 ms; hashes cost it nothing.

      Writes rejected rows, byte for byte, to a new file, with their line number and the reason: in CSV as two more \
      columns, in JSON lines as an object on the line before. That file can be corrected and imported.

      The file must be UTF-8. Use --raw or JSON for a listing that is to be imported: the ' that 'users list --output \
      csv' puts before formulas is not removed, and such rows are rejected.

      Exits with 0 if every user of the file is stored, with 1 if rows were rejected.
      """)

  @Argument(help: ArgumentHelp("Read this file; - is standard input.", valueName: "file"))
  var file: String
  @OptionGroup var format: ImportFormatOptions
  @Flag(help: "Only check the rows, among them for duplicates in the file, and store nothing.")
  var dryRun = false
  @Flag(help: "Ignore FILE.progress, and begin at the start of the file.")
  var fromStart = false
  @Option(
    help: ArgumentHelp(
      "Write rejected rows to this file. (default: FILE.rejected.csv or .jsonl, with a number if it exists)",
      valueName: "path"))
  var rejected: String?
  @Option(
    help: ArgumentHelp(
      "Write rows of users that are already stored to this file, in the same form. (default: none)",
      valueName: "path"))
  var already: String?
  @Flag(help: "Do not show progress. Without a terminal, none is shown.")
  var quiet = false
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if format.format == nil, UserFileFormat(path: file) == nil {
      throw ValidationError("give --format: the file's name ends with neither .csv nor .jsonl")
    }
    if let rejected, rejected == already {
      throw ValidationError("--rejected and --already must name two files")
    }
  }

  func run() async throws {
    let format = try format.importFormat(file)
    let source = try ImportSource(file, format)
    let service = "\(try connection.serverAddress)"
    let record = source.identity.flatMap { identity in
      dryRun ? nil : ProgressRecord(of: identity, at: file, service: service, fromStart: fromStart)
    }
    if let record, record.progress.rows > 0 {
      let checkpoints = record.progress.checkpoints ?? []
      let last = try await lastStored(checkpoints)
      if last == nil, !checkpoints.isEmpty {
        Terminal.note("Beginning at the start: \(service) does not have the users of \(file).progress.")
      }
      record.goBack(to: last)
    }
    let (rejected, already) = try files(format, record?.progress)
    let counts = record?.progress.counts ?? ImportCounts()
    let run = ImportRun(
      source, rejected: rejected, already: already, record: record, isDryRun: dryRun,
      display: ProgressDisplay(total: source.size, from: counts, isQuiet: quiet))
    if counts.rows > 0 { Terminal.note("Continuing after \(ProgressBar.grouped(counts.rows)) rows.") }
    do {
      try await connection.withClient { client in
        try await client.importUsers(ImportUsers(run: run), validateOnly: dryRun) { try run.take($0) }
      }
      // The rows before the unreadable place are stored.
      if let failure = run.sourceFailure { throw failure }
    } catch {
      run.end(isComplete: false)
      Terminal.note("Stopped after \(summary(run.counts)).")
      tellFiles(run)
      if !dryRun, run.sourceFailure == nil { Terminal.note("Run the import again to continue.") }
      throw error
    }
    run.end(isComplete: true)
    print(summary(run.counts))
    tellFiles(run)
    if run.counts.rejected > 0 { throw ExitCode.failure }
  }

  /// Returns the last of these users that the service has, deleted or not.
  private func lastStored(_ users: [ImportProgress.Checkpoint]) async throws -> ImportProgress.Checkpoint? {
    if users.isEmpty { return nil }
    let rows = AsyncStream { continuation in
      // An id that is stored is refused, because its user has another address.
      for user in users {
        continuation.yield(ImportedUser(id: user.id, email: "import@user-service.invalid"))
      }
      continuation.finish()
    }
    return try await connection.withClient { client in
      var outcomes: [ImportOutcome] = []
      try await client.importUsers(rows, validateOnly: true) { outcomes += $0.outcomes }
      return try zip(users, outcomes).reversed().first { _, outcome in
        switch outcome {
        case .alreadyStored, .failed(.userIDTaken): return true
        // The id is free; the address may be that of a user.
        case .stored, .failed(.emailAlreadyRegistered): return false
        case .failed(let error): throw error
        }
      }?.0
    }
  }

  /// Returns the files of rows that are not stored: those of the run that this one continues, or else new ones.
  private func files(
    _ format: ImportFormat, _ progress: ImportProgress?
  ) throws -> (rejected: RejectedRows, already: RejectedRows?) {
    for (option, path, earlier) in [
      ("--rejected", rejected, progress?.rejectedPath), ("--already", already, progress?.alreadyPath),
    ] {
      guard let path, path != earlier else { continue }
      if let earlier {
        throw ValidationError(
          "\(option) must name \(earlier), which has the rows so far; or give --from-start")
      }
      if FileManager.default.fileExists(atPath: path) {
        throw ValidationError("\(option) must name a new file: \(path) exists")
      }
    }
    let form = format.rejectedFormat
    let path =
      rejected ?? progress?.rejectedPath ?? RejectedRows.freePath(file == "-" ? "import" : stem, form)
    let rejected = RejectedRows(path, form, earlier: progress?.rejectedPath)
    let already = already.map { RejectedRows($0, form, earlier: progress?.alreadyPath) }
    try rejected.check()
    try already?.check()
    return (rejected, already)
  }

  private func summary(_ counts: ImportCounts) -> String {
    let numbers = [counts.imported, counts.alreadyStored, counts.rejected].map(ProgressBar.grouped)
    return
      "\(numbers[0]) \(dryRun ? "can be imported" : "imported"), \(numbers[1]) already stored, \(numbers[2]) rejected"
  }

  private func tellFiles(_ run: ImportRun) {
    if run.counts.rejected > 0 { Terminal.note("The rejected rows are in \(run.rejectedPath).") }
    if let path = run.alreadyPath {
      Terminal.note("The rows of users that are already stored are in \(path).")
    }
  }

  private var stem: String {
    let names = UserFileFormat.allCases.map { ".\($0.rawValue)" } + [".json"]
    guard let ending = names.first(where: { file.lowercased().hasSuffix($0) }) else { return file }
    return String(file.dropLast(ending.count))
  }
}
