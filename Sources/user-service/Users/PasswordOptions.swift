import ArgumentParser

/// The source of a new password. A password never appears on the command line, which every process on the machine can
/// read.
struct PasswordOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Read the password from this file; - is standard input.", valueName: "path"))
  var passwordFile: String?
  @Flag(help: "Ask for the password at the terminal.")
  var askPassword = false

  func validate() throws {
    if passwordFile != nil, askPassword {
      throw ValidationError("--password-file and --ask-password exclude each other")
    }
  }

  /// Returns the password, or nil if neither option was given.
  func password() throws -> String? {
    if let passwordFile { return try SmallFile.line(passwordFile) }
    return askPassword ? try Terminal.newPassword() : nil
  }
}
