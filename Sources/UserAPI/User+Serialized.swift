import UserDomain

extension User {
  /// The wire format of the user's `user.v1.User`.
  var serialized: [UInt8] {
    withRow { row, email, name in UserMessageEncoding.message(row, email, name) }
  }
}
