import ArgumentParser
import UserFiles

/// `--format`, and the parameters of the formats that need some.
struct ImportFormatOptions: ParsableArguments {
  enum Name: String, ExpressibleByArgument, CaseIterable {
    case csv, jsonl, firebase, kratos, auth0, keycloak
  }

  @Option(
    help: ArgumentHelp(
      "Read a file of this format. (default: csv or jsonl, by the file's extension)", valueName: "format"))
  var format: Name?
  @Option(
    help: ArgumentHelp(
      "Take passwords of --format firebase as hashed with this signer key of the project, in base64.",
      valueName: "key"))
  var firebaseKey: String?
  @Option(help: ArgumentHelp("Read the signer key from this file; - is standard input.", valueName: "path"))
  var firebaseKeyFile: String?
  @Option(help: ArgumentHelp("Use this salt separator of the project, in base64.", valueName: "text"))
  var firebaseSaltSeparator = "Bw=="
  @Option(help: ArgumentHelp("Use this number of rounds of the project, 1 to 8.", valueName: "count"))
  var firebaseRounds = 8
  @Option(help: ArgumentHelp("Use this memory cost of the project, 1 to 14.", valueName: "cost"))
  var firebaseMemoryCost = 14

  func validate() throws {
    guard firebaseKey != nil || firebaseKeyFile != nil else { return }
    if firebaseKey != nil, firebaseKeyFile != nil {
      throw ValidationError("give either --firebase-key or --firebase-key-file")
    }
    if format != .firebase { throw ValidationError("--firebase-key requires --format firebase") }
  }

  /// Returns the format of the file at `path`.
  ///
  /// - Throws: `ValidationError` if it is unknown, or its parameters are invalid; `FileFailure` if the file with the key
  ///   cannot be read.
  func importFormat(_ path: String) throws -> ImportFormat {
    switch format {
    case .csv: return .users(.csv)
    case .jsonl: return .users(.jsonl)
    case .kratos: return .kratos
    case .auth0: return .auth0
    case .keycloak: return .keycloak
    case .firebase: return .firebase(try hashing())
    case nil:
      guard let format = UserFileFormat(path: path) else {
        throw ValidationError("give --format: the file's name ends with neither .csv nor .jsonl")
      }
      return .users(format)
    }
  }

  private func hashing() throws -> FirebaseHashing? {
    guard let key = try firebaseKey ?? firebaseKeyFile.map({ try SmallFile.line($0) }) else { return nil }
    guard
      let hashing = FirebaseHashing(
        key: key, saltSeparator: firebaseSaltSeparator, rounds: firebaseRounds, memoryCost: firebaseMemoryCost
      )
    else {
      throw ValidationError(
        "the key and --firebase-salt-separator must be base64, --firebase-rounds 1 to 8, and --firebase-memory-cost 1 to 14"
      )
    }
    return hashing
  }
}
