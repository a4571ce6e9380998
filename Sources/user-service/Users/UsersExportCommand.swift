import ArgumentParser
import Foundation
import Primitives
import UserFiles
import UserServiceClient

/// `user-service users export`.
struct UsersExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write all users, deleted ones included, as 'users import' reads them.",
    discussion: """
      Needs a token with the scope users:export, and for password hashes users:export-hashes, too. Only its owner can read \
      the file, which appears when it is complete.
      """)

  @OptionGroup var connection: ConnectionOptions
  @Option(
    help: ArgumentHelp("Write to this file, which must be new. (default: standard output)", valueName: "path")
  )
  var file: String?
  @Option(
    help: ArgumentHelp(
      "Write csv, or one JSON object a line (jsonl). (default: by the file's extension, or csv)",
      valueName: "format"),
    transform: { name in
      guard let format = UserFileFormat(rawValue: name) else { throw ValidationError("must be csv or jsonl") }
      return format
    })
  var output: UserFileFormat?
  @Flag(help: "Write password hashes. Without them, the users of the file cannot sign in by password.")
  var passwordHashes = false

  func validate() throws {
    if let file, FileManager.default.fileExists(atPath: file) {
      throw ValidationError("--file must name a new file: \(file) exists")
    }
  }

  func run() async throws {
    let format = output ?? file.flatMap { UserFileFormat(path: $0) } ?? .csv
    guard let file else { return try await write(format, to: .standardOutput) }
    let part = "\(file).\(getpid()).part"
    do {
      // A process with the same id may have left the file behind when it was killed.
      unlink(part)
      let handle = try PrivateFile.create(at: part)
      let interruption = Interruption { unlink(part) }
      defer {
        unlink(part)
        interruption.end()
      }
      try await write(format, to: handle)
      try handle.synchronize()
      try Self.name(part, file)
    } catch  where error is POSIXError || error is CocoaError {
      throw FileFailure("\(file) cannot be written: \(error.fileProblem)")
    }
  }

  /// Gives a file its name, which no other file may have.
  private static func name(_ part: String, _ file: String) throws {
    // Unlike a new name, a second one does not replace a file that was made meanwhile.
    if link(part, file) == 0 { return }
    // Some file systems have no second names.
    let hasNoLinks = [EPERM, ENOTSUP, ENOSYS, EMLINK].contains(errno)
    if hasNoLinks, !FileManager.default.fileExists(atPath: file), rename(part, file) == 0 { return }
    throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
  }

  private func write(_ format: UserFileFormat, to handle: FileHandle) async throws {
    let writer = UserFileWriter(format)
    try await connection.withClient { client in
      var text = writer.exportHeader
      for try await user in client.exportUsers(passwordHashes: passwordHashes) {
        writer.append(user, to: &text)
        if text.utf8.count >= 65_536 {
          try put(text, handle)
          text = ""
        }
      }
      try put(text, handle)
    }
  }

  private func put(_ text: String, _ handle: FileHandle) throws {
    do {
      try handle.write(contentsOf: Data(text.utf8))
    } catch {
      // `user-service users export | head` has closed the pipe.
      if errno == EPIPE { throw ExitCode.success }
      throw error
    }
  }
}
