import Foundation
import SwiftProtobuf
import UserProtos

extension User_V1_ImportUserRequest {
  init(_ user: ImportedUser, validateOnly: Bool) {
    self.init()
    if let id = user.id { self.id = id }
    email = user.email
    name = user.name
    status = user.status.message
    if let createdAt = user.createdAt { self.createdAt = .init(microsecondsOf: createdAt) }
    if let updatedAt = user.updatedAt { updateTime = .init(microsecondsOf: updatedAt) }
    if let deletedAt = user.deletedAt { deleteTime = .init(microsecondsOf: deletedAt) }
    if let purgeAt = user.purgeAt { purgeTime = .init(microsecondsOf: purgeAt) }
    if !user.labels.isEmpty { labels = user.labels }
    if let passwordHash = user.passwordHash { self.passwordHash = passwordHash }
    if let password = user.password { self.password = password }
    if validateOnly { self.validateOnly = true }
  }
}

extension ImportedUser {
  init(_ message: User_V1_ImportUserRequest) {
    self.init(
      id: message.id.nonEmpty, email: message.email, name: message.name,
      // The contract's meaning of a status that is absent.
      status: message.status == .unspecified ? .active : User.Status(message.status),
      createdAt: message.hasCreatedAt ? message.createdAt.date : nil,
      updatedAt: message.hasUpdateTime ? message.updateTime.date : nil,
      deletedAt: message.hasDeleteTime ? message.deleteTime.date : nil,
      purgeAt: message.hasPurgeTime ? message.purgeTime.date : nil, labels: message.labels,
      passwordHash: message.passwordHash.nonEmpty, password: message.password.nonEmpty)
    pageToken = message.pageToken.nonEmpty
  }

  /// The bytes of text that fit in the service's largest request message, 8 KiB. Every valid user has fewer.
  private static let largestText = 8_000

  /// The bytes that an entry of a map takes besides its texts.
  private static let entrySize = 16

  /// The number of bytes of the user's texts, those around labels included.
  var textSize: Int {
    labels.reduce((id?.utf8.count ?? 0) + email.utf8.count + name.utf8.count) {
      $0 + $1.key.utf8.count + $1.value.utf8.count + Self.entrySize
    } + (passwordHash?.utf8.count ?? 0) + (password?.utf8.count ?? 0)
  }

  /// The error of a user that is too large to be sent; nil for all others. Such a row would fail the whole call.
  var sizeProblem: UserServiceError? {
    guard textSize > Self.largestText else { return nil }
    let texts = [
      ("id", id?.utf8.count ?? 0, 36), ("email", email.utf8.count, 254), ("name", name.utf8.count, 1_024),
      ("password_hash", passwordHash?.utf8.count ?? 0, 1_024), ("password", password?.utf8.count ?? 0, 1_024),
    ]
    var fields = texts.filter { $0.1 > $0.2 }.map { name, _, limit in
      UserServiceError.InvalidField(
        name: name, reason: "TOO_LONG", description: "must have at most \(limit) bytes")
    }
    // The texts above have fewer bytes in all if none is too long.
    if fields.isEmpty {
      fields = [
        .init(name: "labels", reason: "TOO_LONG", description: "must have at most 16 entries of 191 bytes")
      ]
    }
    return .invalidUser(fields: fields)
  }
}

extension ImportOutcome {
  init(_ message: User_V1_ImportUserResult) {
    if message.hasStatus {
      self = .failed(UserServiceError(message.status))
    } else {
      self = message.alreadyStored ? .alreadyStored(id: message.userID) : .stored(id: message.userID)
    }
  }
}

extension Google_Protobuf_Timestamp {
  /// Creates the timestamp of a date rounded to the nearest microsecond, which is what the service stores: a date is a
  /// fraction in binary, which cannot express most microseconds.
  ///
  /// Dates outside the range of a timestamp, the years 1 to 9999, become its bounds or zero.
  fileprivate init(microsecondsOf date: Date) {
    let bounds = -62_135_596_800_000_000.0...253_402_300_799_999_999.0
    let exact = (date.timeIntervalSince1970 * 1_000_000).rounded()
    let microseconds = exact.isNaN ? 0 : Int64(min(max(exact, bounds.lowerBound), bounds.upperBound - 1_000))
    let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    // Nanoseconds count forwards, also before 1970.
    let isNegative = remainder < 0
    self.init(
      seconds: isNegative ? quotient - 1 : quotient,
      nanos: Int32(isNegative ? remainder + 1_000_000 : remainder) * 1_000)
  }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
