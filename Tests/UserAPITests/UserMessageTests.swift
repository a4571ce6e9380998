import GRPCCore
import SwiftProtobuf
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

@Suite struct UserMessageTests {
  /// Returns the bytes that SwiftProtobuf writes, and the page token's field behind them.
  private func expected(_ user: User, pageToken: String = "") throws -> [UInt8] {
    let message = User_V1_User.with {
      $0.id = user.id.description
      $0.email = user.email.address
      $0.name = user.name.text
      $0.status = user.status == .active ? .active : .inactive
      $0.createdAt = time(user.createdAt)
      $0.updateTime = time(user.updatedAt)
      if let deletion = user.deletion {
        $0.deleteTime = time(deletion.deletedAt)
        $0.purgeTime = time(deletion.purgeAt)
      }
      $0.etag = user.version.etag
      $0.labels = user.labels.byKey
    }
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    let bytes: [UInt8] = try message.serializedBytes(options: options)
    return try bytes + User_V1_User.with { $0.pageToken = pageToken }.serializedBytes()
  }

  private func time(_ time: Timestamp) -> Google_Protobuf_Timestamp {
    let microseconds = time.microsecondsSinceEpoch
    let seconds = Int64((Double(microseconds) / 1_000_000).rounded(.down))
    return .init(seconds: seconds, nanos: Int32((microseconds - seconds * 1_000_000) * 1_000))
  }

  @Test("random users have the bytes that SwiftProtobuf writes")
  func random() throws {
    var random = SystemRandomNumberGenerator()
    let letters = Array("aZ09é漢☺ ")
    for _ in 0..<5_000 {
      let name = String((0..<Int.random(in: 0...90)).map { _ in letters.randomElement(using: &random)! })
      let user = User(
        id: UserID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)),
        email: try EmailAddress("user\(Int.random(in: 0 ... .max))@example.com"),
        name: try UserName(name.trimmingPrefix(" ").description), status: .random(), createdAt: .random(),
        updatedAt: Bool.random() ? .random() : nil,
        deletion: Bool.random() ? UserDeletion(deletedAt: .random(), purgeAt: .random()) : nil,
        labels: try .random())
      #expect(try user.serialized == expected(user))
    }
  }

  @Test(
    "a user of any length and time, as another program may have stored it, fits its maximum",
    arguments: [0, 1, 127, 128, 16_384, 3_000_000], [Int64.min, -1, 0, 1, .max])
  func longest(count: Int, microseconds: Int64) {
    let text = String(repeating: "x", count: count)
    let time = Timestamp(microsecondsSinceEpoch: microseconds)
    let row = UserRow(
      id: UserID(high: .max, low: .max), status: .inactive,
      createdAt: time, updatedAt: time, deletion: UserDeletion(deletedAt: time, purgeAt: time),
      labels: UserLabels(trusted: "\(text.prefix(20_000))=\(text.prefix(20_000))\nk=v\n=\n\nnone\n"))
    let length = UserMessageEncoding.count(row, text.utf8Span, text.utf8Span)
    #expect(length <= UserMessageEncoding.maximumCount(row, text.utf8Span, text.utf8Span))
    var page = UserPage()
    page.append(row, text.utf8Span, text.utf8Span)
    // A prefix of five bytes precedes the message.
    #expect(page.frames.count == 5 + length)
  }

  @Test("a page is its users' messages, each with its prefix")
  func page() throws {
    let users = try (0..<300).map { number in
      User(
        id: UserID(high: 1, low: UInt64(number)), email: try EmailAddress("user\(number)@example.com"),
        name: try UserName(String(repeating: "n", count: number % 90)), status: .random(),
        createdAt: .random())
    }
    for tokenLength in [1, 43, 300] {
      let token = String(repeating: "t", count: tokenLength)
      let frames = try users.enumerated().flatMap { index, user in
        let bytes = try expected(user, pageToken: index == 299 ? token : "")
        return [0] + Swift.withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes
      }
      for rows in [0, 1, 300] {
        var page = UserPage(rows: rows)
        for user in users { user.withRow { page.append($0, $1, $2) } }
        page.end(pageToken: token)
        let bytes: FramedBytes = try UserPageSerializer<FramedBytes>().serialize(page)
        #expect(bytes.bytes == frames)
      }
    }
    let none: FramedBytes = try UserPageSerializer<FramedBytes>().serialize(UserPage())
    #expect(none.bytes == [])
  }

  @Test(
    "the extreme times have the bytes that SwiftProtobuf writes",
    arguments: [0, 1, -1, 999_999, 1_000_000, -1_000_000, -1_000_001])
  func times(microseconds: Int64) throws {
    let user = User(
      id: UserID(high: 0, low: 0), email: try EmailAddress("a@example.com"), name: try UserName(""),
      status: .inactive, createdAt: Timestamp(microsecondsSinceEpoch: microseconds))
    #expect(try user.serialized == expected(user))
  }
}

extension UserStatus {
  fileprivate static func random() -> UserStatus { Bool.random() ? .active : .inactive }
}

extension UserLabels {
  fileprivate static func random() throws -> UserLabels {
    let pairs = (0..<Int.random(in: 0...3)).map {
      ("key\($0)", String(repeating: "é", count: .random(in: 0...64)))
    }
    return try UserLabels(Dictionary(uniqueKeysWithValues: pairs))
  }
}

extension Timestamp {
  /// Returns a time between the years 1833 and 2106.
  fileprivate static func random() -> Timestamp {
    Timestamp(microsecondsSinceEpoch: .random(in: -4_300_000_000_000_000...4_300_000_000_000_000))
  }
}
