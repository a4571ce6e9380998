import ArgumentParser

/// Where a new password comes from. Never from the command line, which every process of the machine can read.
struct PasswordOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A file with the password; - reads it from standard input.", valueName: "path"))
  var passwordFile: String?
  @Flag(help: "Ask for the password at the terminal.")
  var askPassword = false

  func validate() throws {
    if passwordFile != nil, askPassword {
      throw ValidationError("--password-file and --ask-password exclude each other")
    }
  }

  /// The password, or nil if neither option is there.
  func password() throws -> String? {
    if let passwordFile { return try SmallFile.line(passwordFile) }
    return askPassword ? try Terminal.newPassword() : nil
  }
}
