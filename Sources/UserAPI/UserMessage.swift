import GRPCCore
import UserDomain

/// A `user.v1.User` to be sent: a user, and the page token that the last of a page carries.
struct UserMessage: Sendable {
  let user: User
  var pageToken = ""

  /// Its wire format.
  var serialized: [UInt8] {
    user.withRow { row, email, name in
      let encoding = UserMessageEncoding(row, email, name, pageToken: pageToken)
      return [UInt8](unsafeUninitializedCapacity: encoding.count) { buffer, count in
        encoding.write(
          email, name,
          to: UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[..<encoding.count]))
        count = encoding.count
      }
    }
  }
}

struct UserMessageSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: UserMessage) throws -> Bytes {
    message.user.withRow { row, email, name in
      let encoding = UserMessageEncoding(row, email, name, pageToken: message.pageToken)
      var bytes = Bytes(repeating: 0, count: encoding.count)
      bytes.withUnsafeMutableBytes { encoding.write(email, name, to: $0) }
      return bytes
    }
  }
}
