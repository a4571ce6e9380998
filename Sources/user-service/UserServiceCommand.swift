import ArgumentParser
import Foundation
import Primitives
import UserDomain
import UserServiceClient

/// The program. One file a subcommand.
@main
struct UserServiceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user-service",
    abstract: "Keeps the users of other services in one SQLite file.",
    discussion: """
      Exit codes: 0 done, 1 failed, 2 the command line was wrong, 3 there is no such user, 4 the service refused it.
      """,
    version: "user-service \(Version.current)",
    subcommands: [
      ServeCommand.self, SettingsCommand.self, HealthCommand.self, UsersCommand.self, SignInCommand.self,
      SignOutCommand.self,
      TokenCommand.self, KeysCommand.self, MigrateCommand.self, Argon2Command.self, VersionCommand.self,
    ]
  )

  static func main() async {
    do {
      var command = try await asyncParseAsRoot(nil)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      end(error)
    }
  }

  private static func end(_ error: any Error) -> Never {
    if let error = error as? UserServiceError {
      Terminal.note("Error: \(Terminal.harmless(error.description))")
      exit(withError: ExitCode(error.exitStatus))
    }
    switch exitCode(for: error) {
    case .validationFailure:
      Terminal.note(fullMessage(for: error))
      exit(withError: ExitCode(2))
    case .failure where !(error is ExitCode):
      // On one line: its words may be a file's, or a service's.
      Terminal.note("Error: \(Terminal.harmless(words(for: error)))")
      exit(withError: ExitCode.failure)
    default: exit(withError: error)
    }
  }

  private static func words(for error: any Error) -> String {
    switch error {
    case is POSIXError, is CocoaError: error.fileProblem
    case let error as any CustomStringConvertible: error.description
    default: message(for: error)
    }
  }
}

extension UserServiceError {
  /// What the program exits with.
  var exitStatus: Int32 {
    switch self {
    case .userNotFound: 3
    case .emailAlreadyRegistered, .invalidUser, .invalidRequest, .unauthenticated, .wrongCredentials,
      .permissionDenied, .tooManyAttempts, .signInDisabled, .currentPasswordRequired,
      .wrongCurrentPassword, .peerLimitExceeded:
      4
    case .updateFailed(_, let error): error.exitStatus
    case .tooManyRows, .overloaded, .unavailable, .deadlineExceeded, .cancelled, .failed: 1
    }
  }
}
