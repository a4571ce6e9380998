import UserDomain

extension User {
  /// The wire format of the user's `user.v1.User`.
  var serialized: [UInt8] {
    withRow { row, email, name in
      let encoding = UserMessageEncoding(row, email, name)
      return [UInt8](count: encoding.count) { encoding.write(email, name, to: $0) }
    }
  }
}
