import ArgumentParser

/// The source of the current password, which users give who change or delete themselves.
struct CurrentPasswordOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Read the current password from this file; - is standard input.", valueName: "path")
  )
  var currentPasswordFile: String?
  @Flag(help: "Ask for the current password at the terminal.")
  var askCurrentPassword = false

  func validate() throws {
    if currentPasswordFile != nil, askCurrentPassword {
      throw ValidationError("--current-password-file and --ask-current-password exclude each other")
    }
  }

  /// Returns the password, or nil if neither option was given.
  func password() throws -> String? {
    if let currentPasswordFile { return try SmallFile.line(currentPasswordFile) }
    return askCurrentPassword ? try Terminal.password("Current password") : nil
  }
}
