import ArgumentParser
import Primitives
import UserServiceClient

/// `user-service sign-in`: a session for the commands to come.
struct SignInCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-in",
    abstract: "Signs in to a service, for the commands to come.",
    discussion: """
      The tokens are kept for this address in a file that only you can read, below $XDG_CONFIG_HOME or ~/.config, and \
      refreshed when they have to be. Without --password-file it asks for the password.

      From the 5th wrong password on, the next attempt from the same network waits: 1 second, then twice as long each \
      time, up to 60. After 100 in a row from anywhere the account takes no password, except from a device that has \
      signed in before, until an operator runs 'user-service users unlock' or gives it a new password.
      """)

  @OptionGroup var connection: ConnectionOptions
  @Option(help: ArgumentHelp("The address to sign in with.", valueName: "e-mail"))
  var email: String
  @Option(help: ArgumentHelp("A file with the password; - reads it from standard input.", valueName: "path"))
  var passwordFile: String?

  func run() async throws {
    let password =
      try passwordFile.map { try SmallFile.line($0) } ?? Terminal.password("Password of \(email)")
    // Shows that this device has signed in before; of no use if that was to another account. A file that cannot be read
    // is replaced by this sign-in.
    let before = (try? connection.session.tokens)?.refreshToken
    let tokens = try await connection.withClient(.anonymous) { client in
      try await client.signIn(email: email, password: password, knownDevice: before)
    }
    // That it could not be kept is said already.
    guard try connection.session.tokens?.accessToken == tokens.accessToken else { throw ExitCode.failure }
    print(
      "signed in to \(try connection.serverAddress) until \(tokens.refreshTokenExpiresAt.rfc3339(.microseconds))"
    )
  }
}

/// `user-service sign-out`: the end of that session.
struct SignOutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-out",
    abstract: "Ends the session of the last sign-in to a service, and forgets its tokens.")

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    guard let tokens = try connection.session.tokens else {
      print("not signed in to \(try connection.serverAddress)")
      return
    }
    do {
      try await connection.withClient(.tokens(tokens)) { client in try await client.signOut() }
    } catch UserServiceError.unauthenticated {
      // The service does not know the session any more.
      try connection.session.keep(nil)
    }
    print("signed out of \(try connection.serverAddress)")
  }
}
