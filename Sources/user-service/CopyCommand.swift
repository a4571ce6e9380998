import ArgumentParser
import UserServiceApp
import UserStore

/// `user-service copy`: a whole database, from one engine to another or to the same.
struct CopyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copy",
    abstract: "Copy everything of a database to an empty one, and compare them.",
    discussion: """
      Users, password hashes, sessions, revoked tokens and failed sign-ins keep their ids, so that etags, tokens and page \
      tokens stay valid. Stop the services of both databases first. A copy that was interrupted goes on after its last \
      batch when the command is run again; until then no service opens the target.
      """
  )

  @Option(
    help: ArgumentHelp(
      "Copy this database: the path of an SQLite file, or postgres://….", valueName: "database")
  )
  var from: String
  @Option(
    help: ArgumentHelp(
      "Copy to this database: the path of an SQLite file, or postgres://…. It is migrated, and a missing file created.",
      valueName: "database"))
  var to: String
  @Flag(help: "Copy nothing: only compare the two databases row by row.")
  var verifyOnly = false

  func validate() throws {
    for (name, place) in [("--from", from), ("--to", to)] {
      if place.isEmpty { throw ValidationError("\(name) must not be empty") }
      if place == ":memory:" {
        throw ValidationError("\(name) must name a file: an in-memory database ends with the command")
      }
    }
  }

  func run() throws {
    let began = ContinuousClock.now
    let (source, target) = (try address(from, of: "--from"), try address(to, of: "--to"))
    if source.isSame(as: target) { throw StoreError.copy(.sameDatabase(path: target.description)) }
    let opened = try source.copySource()
    let line = CopyLine()
    let copy = DatabaseCopy(opened, report: line.show)
    let outcome: DatabaseCopy.Outcome
    do {
      defer { line.clear() }
      outcome = verifyOnly ? try compare(copy, with: target) : try fill(target, by: copy)
    } catch {
      // The failure being reported matters more than a failure to close.
      try? opened.close()
      throw error
    }
    try opened.close()
    report(outcome, elapsed: .now - began)
  }

  private func address(_ text: String, of option: String) throws(StoreError) -> DatabaseAddress {
    do {
      return try DatabaseAddress(text)
    } catch .inaccessible(_, let reason) {
      throw .inaccessible(path: option, reason: reason)
    }
  }

  private func compare(
    _ copy: DatabaseCopy, with address: DatabaseAddress
  ) throws(StoreError) -> DatabaseCopy.Outcome {
    let other = try address.copySource()
    // The comparison is what counts, and nothing was written.
    defer { try? other.close() }
    return try copy.compare(with: other)
  }

  private func fill(
    _ address: DatabaseAddress, by copy: DatabaseCopy
  ) throws(StoreError) -> DatabaseCopy.Outcome {
    let target = try address.copyTarget()
    let outcome: DatabaseCopy.Outcome
    do {
      outcome = try copy.run(to: target)
    } catch {
      // The failure being reported matters more than a failure to close.
      try? target.close()
      throw error
    }
    try target.close()
    return outcome
  }

  private func report(_ outcome: DatabaseCopy.Outcome, elapsed: Duration) {
    let rows = outcome.rows.map { [$0.table.name, ProgressBar.grouped($0.count)] }
    print(Terminal.table([["TABLE", "ROWS"]] + rows))
    let tenths = Int(elapsed / .milliseconds(100))
    let time = "\(tenths / 10).\(tenths % 10) s"
    let total = ProgressBar.grouped(outcome.total)
    if verifyOnly {
      print("the databases are equal: \(total) rows, in \(time)")
    } else {
      let earlier =
        outcome.earlier == 0 ? "" : ", \(ProgressBar.grouped(outcome.earlier)) of them by an earlier run"
      print("copied \(total) rows\(earlier), and compared each, in \(time)")
    }
  }
}
