import ArgumentParser
import Primitives
import UserServiceClient

/// `user-service sign-in`: creates a session for later commands.
struct SignInCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-in",
    abstract: "Sign in to a service, for later commands.",
    discussion: """
      Stores the tokens for this address in a file that only you can read, below $XDG_CONFIG_HOME or ~/.config, and \
      refreshes them when needed. Without --password-file, asks for the password.

      After the 5th wrong password, the next attempt from the same network has to wait: 1 second, then twice as long each \
      time, up to 60. After 100 in a row from any network, the account refuses passwords, except from a device that has \
      signed in before, until an operator runs 'user-service users unlock' or sets a new password.
      """)

  @OptionGroup var connection: ConnectionOptions
  @Option(help: ArgumentHelp("Sign in with this address.", valueName: "e-mail"))
  var email: String
  @Option(help: ArgumentHelp("Read the password from this file; - is standard input.", valueName: "path"))
  var passwordFile: String?

  func run() async throws {
    let password =
      try passwordFile.map { try SmallFile.line($0) } ?? Terminal.password("Password of \(email)")
    // A refresh token of the same account makes this a known device. If the stored session cannot be read, this
    // sign-in replaces it.
    let before = (try? connection.session.tokens)?.refreshToken
    let tokens = try await connection.withClient(.anonymous) { client in
      try await client.signIn(email: email, password: password, knownDevice: before)
    }
    // `keep` has already reported that the tokens could not be stored.
    guard try connection.session.tokens?.accessToken == tokens.accessToken else { throw ExitCode.failure }
    print(
      "signed in to \(try connection.serverAddress) until \(tokens.refreshTokenExpiresAt.rfc3339(.microseconds))"
    )
  }
}

/// `user-service sign-out`: ends the session of the last sign-in.
struct SignOutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-out",
    abstract: "End the session of the last sign-in to a service, and delete its tokens.")

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    guard let tokens = try connection.session.tokens else {
      print("not signed in to \(try connection.serverAddress)")
      return
    }
    do {
      try await connection.withClient(.tokens(tokens)) { client in try await client.signOut() }
    } catch UserServiceError.unauthenticated {
      // The session has expired or was revoked.
      try connection.session.keep(nil)
    }
    print("signed out of \(try connection.serverAddress)")
  }
}
