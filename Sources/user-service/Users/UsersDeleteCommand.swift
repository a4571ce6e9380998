import ArgumentParser
import UserServiceClient

/// `user-service users delete`.
struct UsersDeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete a user.",
    discussion: """
      Ends every session of the user. Until it is purged, 30 days later unless the service is configured otherwise, it \
      keeps its address and can be undeleted with 'users undelete'. --expunge erases it at once, and asks for \
      confirmation at a terminal; elsewhere it needs --yes. Users who delete themselves must give the current password; callers with the scope \
      users:write need not.
      """)

  @OptionGroup var reference: UserReferenceOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: ArgumentHelp("Delete the user only if it still has this etag.", valueName: "etag"))
  var etag: String?
  @Flag(help: "Erase the user at once, also if it is already deleted. It cannot be undeleted.")
  var expunge = false
  @Flag(help: "Do not ask for confirmation.")
  var yes = false
  @OptionGroup var currentPassword: CurrentPasswordOptions

  func validate() throws {
    if expunge, !yes, !Terminal.isInteractive {
      throw ValidationError("--expunge needs --yes without a terminal at which to ask for confirmation")
    }
  }

  func run() async throws {
    let password = try currentPassword.password()
    let deleted = try await connection.withClient { client in
      var (id, etag) = try await reference.target(client, etag: etag, showDeleted: expunge)
      if expunge, !yes {
        let user = try await client.getUser(id: id, showDeleted: true)
        // The user that was confirmed is the one that is erased.
        etag = etag ?? user.etag
        try confirm(user)
      }
      return try await client.deleteUser(
        id: id, etag: etag, expunge: expunge,
        // The user was not deleted when its address was looked up, so a retry may find it deleted by this command.
        allowMissing: reference.email != nil && !expunge, currentPassword: password)
    }
    var output = output.writer
    try output.show([deleted])
  }

  private func confirm(_ user: User) throws {
    Terminal.note("This erases \(user.email) (\(user.id)).")
    guard Terminal.confirms("Continue?") else {
      Terminal.note("nothing was changed")
      throw ExitCode.failure
    }
  }
}
