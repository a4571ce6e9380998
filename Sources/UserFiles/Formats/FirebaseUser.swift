import UserServiceClient

extension ImportedUser {
  /// Reads a user of `firebase auth:export` (firebase-tools, accountExporter.ts).
  ///
  /// Not kept: emailVerified, photoUrl, lastSignedInAt, phoneNumber, customAttributes and providerUserInfo. A `localId`
  /// that is not a UUID becomes the label `firebase-id`.
  ///
  /// - Throws: `Problem`, also for a user without an address, and for a password without `hashing`.
  init(firebase user: JSONValue, _ hashing: FirebaseHashing?) throws(UserFileRow.Problem) {
    self.init(email: try user.requiredAddress("email"))
    setForeignID(try user.text("localId"), label: "firebase-id")
    name = try user.text("displayName") ?? ""
    if try user.bool("disabled") == true { status = .inactive }
    createdAt = try user.milliseconds("createdAt")
    guard let hash = try user.text("passwordHash"), !hash.isEmpty else { return }
    guard let hashing else {
      throw UserFileRow.Problem(
        "the user has a password; give the project's hash parameters (--firebase-key-file)")
    }
    guard let hash = Base64Text(hash), let salt = Base64Text(try user.text("salt") ?? "") else {
      throw UserFileRow.Problem("passwordHash or salt is not base64")
    }
    passwordHash = PasswordHashText.firebase(hash: hash, salt: salt, hashing)
  }
}
