import UserDomain

extension User {
  /// The wire format of the user's `user.v1.User`.
  var serialized: [UInt8] {
    withRow { row, email, name in
      [UInt8](count: UserMessageEncoding.count(row, email, name)) {
        UserMessageEncoding.write(row, email, name, to: $0.baseAddress!)
      }
    }
  }
}
