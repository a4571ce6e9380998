import SwiftProtobuf
import UserDomain
import UserProtos

extension ImportRow {
  /// The row in a request.
  init(_ request: User_V1_ImportUserRequest) {
    self.init()
    id = request.id
    email = request.email
    name = request.name
    status = request.status == .unspecified ? nil : request.status.rawValue
    if request.hasCreatedAt { createdAt = time(request.createdAt, of: "created_at") }
    if request.hasUpdateTime { updatedAt = time(request.updateTime, of: "update_time") }
    if request.hasDeleteTime { deletedAt = time(request.deleteTime, of: "delete_time") }
    if request.hasPurgeTime { purgeAt = time(request.purgeTime, of: "purge_time") }
    labels = request.labels
    passwordHash = request.passwordHash
    password = request.password
  }

  private mutating func time(_ time: Google_Protobuf_Timestamp, of field: String) -> Timestamp? {
    if let time = Timestamp(time) { return time }
    violations.append(
      FieldViolation(
        field: field, reason: .outOfRange, description: "must be a time between the years 1 and 9999"))
    return nil
  }
}

extension User_V1_ImportUserRequest {
  /// The request that imports `user` with this hash.
  init(_ user: User, _ hash: PasswordHash?) {
    self.init()
    id = user.id.description
    email = user.email.address
    name = user.name.text
    status = user.status == .active ? .active : .inactive
    createdAt = Google_Protobuf_Timestamp(user.createdAt)
    updateTime = Google_Protobuf_Timestamp(user.updatedAt)
    if let deletion = user.deletion {
      deleteTime = Google_Protobuf_Timestamp(deletion.deletedAt)
      purgeTime = Google_Protobuf_Timestamp(deletion.purgeAt)
    }
    labels = user.labels.byKey
    if let hash { passwordHash = hash.phcString }
  }
}

extension Timestamp {
  /// The seconds of google.protobuf.Timestamp: from the year 1 to the year 9999.
  private static let seconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

  /// The time in a message, in whole microseconds, rounded down; nil for one outside its range.
  fileprivate init?(_ time: Google_Protobuf_Timestamp) {
    guard Self.seconds.contains(time.seconds), (0...999_999_999).contains(time.nanos) else { return nil }
    self.init(microsecondsSinceEpoch: time.seconds * 1_000_000 + Int64(time.nanos) / 1_000)
  }
}

extension Google_Protobuf_Timestamp {
  /// The time in a message.
  init(_ time: Timestamp) {
    let (seconds, nanos) = time.secondsAndNanos
    self.init(seconds: seconds, nanos: Int32(nanos))
  }
}
