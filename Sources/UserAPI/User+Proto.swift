import SwiftProtobuf
import UserDomain
import UserProtos

extension User_V1_User {
  /// The message for `user`, with a page token if it is the last of its page.
  init(_ user: User, pageToken: String = "") {
    self.init()
    id = user.id.description
    email = user.email.address
    name = user.name.text
    status = User_V1_UserStatus(rawValue: user.status.rawValue) ?? .unspecified
    createdAt = Google_Protobuf_Timestamp(user.createdAt)
    self.pageToken = pageToken
  }
}

extension Google_Protobuf_Timestamp {
  init(_ time: Timestamp) {
    // Nanoseconds count forward from the second, also before 1970 (google/protobuf/timestamp.proto).
    let (seconds, rest) = time.microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    self.init(
      seconds: rest < 0 ? seconds - 1 : seconds,
      nanos: Int32((rest < 0 ? rest + 1_000_000 : rest) * 1_000))
  }
}
