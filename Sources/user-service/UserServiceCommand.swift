import ArgumentParser
import Foundation
import Primitives
import UserDomain
import UserServiceClient

/// The program. Each subcommand has a file.
@main
struct UserServiceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user-service",
    abstract: "Keep the users of other services in one SQLite file.",
    discussion: """
      Exit codes: 0 success, 1 failure, 2 invalid command line, 3 user not found, 4 refused by the service.
      """,
    version: "user-service \(Version.current)",
    subcommands: [
      ServeCommand.self, SettingsCommand.self, HealthCommand.self, UsersCommand.self, SignInCommand.self,
      SignOutCommand.self,
      TokenCommand.self, KeysCommand.self, MigrateCommand.self, CopyCommand.self, Argon2Command.self,
      VersionCommand.self,
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
      // Written on one line, because the description may contain text from a file or a service.
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
  /// The exit code for this error.
  var exitStatus: Int32 {
    switch self {
    case .userNotFound, .usersNotFound: 3
    case .emailAlreadyRegistered, .userIDTaken, .userNotDeleted, .etagMismatch, .invalidUser, .invalidRequest,
      .unauthenticated, .wrongCredentials,
      .permissionDenied, .tooManyAttempts, .signInDisabled, .currentPasswordRequired,
      .wrongCurrentPassword, .peerLimitExceeded:
      4
    case .updateFailed(_, let error): error.exitStatus
    case .tooManyRows, .overloaded, .unavailable, .deadlineExceeded, .cancelled, .failed: 1
    }
  }
}
