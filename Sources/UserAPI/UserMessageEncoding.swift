import UserDomain

/// The wire format of a user (protobuf.dev/programming-guides/encoding): the bytes that SwiftProtobuf would write,
/// without a message in between. Every user in a response is encoded by it, from a row that a read lends.
enum UserMessageEncoding {
  /// Returns the length of the message in bytes.
  static func count(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Int {
    var count =
      2 + UserID.textLength + fieldLength(email.count) + fieldLength(name.count)
      + 1 + length(UInt64(row.status.rawValue)) + timeLength(row.createdAt) + timeLength(row.updatedAt)
      + 2 + UserVersion.etagLength
    if let deletion = row.deletion { count += timeLength(deletion.deletedAt) + timeLength(deletion.purgeAt) }
    return count + labelsLength(row.labels)
  }

  /// Returns a length in bytes that the message does not exceed: texts, id and etag, and at most 96 bytes of tags, lengths
  /// and numbers. Cheaper than ``count(_:_:_:)``.
  static func maximumCount(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Int {
    UserID.textLength + UserVersion.etagLength + email.count + name.count + 96 + labelsLength(row.labels)
  }

  /// Writes the message at `start`, where there is room for it. Returns its length in bytes.
  @discardableResult
  static func write(
    _ row: UserRow, _ email: UTF8Span, _ name: UTF8Span, to start: UnsafeMutableRawPointer
  ) -> Int {
    var writer = WireWriter(next: start)
    writer.byte(Tag.id)
    writer.byte(UInt8(UserID.textLength))
    row.id.writeText(to: UnsafeMutableRawBufferPointer(start: writer.next, count: UserID.textLength))
    writer.next += UserID.textLength
    writer.text(Tag.email, email.span)
    writer.text(Tag.name, name.span)
    writer.byte(Tag.status)
    writer.varint(UInt64(row.status.rawValue))
    let createdAt = writer.next
    writer.time(Tag.createdAt, row.createdAt)
    if row.updatedAt == row.createdAt {
      writer.copy(from: createdAt, as: Tag.updateTime)
    } else {
      writer.time(Tag.updateTime, row.updatedAt)
    }
    if let deletion = row.deletion {
      writer.time(Tag.deleteTime, deletion.deletedAt)
      writer.time(Tag.purgeTime, deletion.purgeAt)
    }
    writer.byte(Tag.etag)
    writer.byte(UInt8(UserVersion.etagLength))
    UserVersion(row.updatedAt).writeEtag(to: writer.next)
    writer.next += UserVersion.etagLength
    row.labels.forEach { key, value in
      writer.byte(Tag.labels)
      writer.varint(UInt64(entryLength(key, value)))
      writer.string(Tag.key, key)
      writer.string(Tag.value, value)
    }
    return writer.next - start
  }

  /// Returns the message.
  static func message(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> [UInt8] {
    [UInt8](count: count(row, email, name)) { write(row, email, name, to: $0.baseAddress!) }
  }

  /// Returns the field of a user in a `BatchGetUsersResponse`.
  static func batchField(of user: User) -> [UInt8] {
    let message = user.serialized
    return [UInt8](count: 1 + length(UInt64(message.count)) + message.count) { field in
      var writer = WireWriter(next: field.baseAddress!)
      writer.string(1 << 3 | 2, message.span)
    }
  }

  /// Returns the field of the page token, which follows the message.
  static func pageTokenField(_ pageToken: String) -> [UInt8] { textField(Tag.pageToken, pageToken) }

  /// Returns the field of the update id, which follows the message.
  static func updateIDField(_ id: String) -> [UInt8] { textField(Tag.updateID, id) }

  private static func textField(_ tag: UInt8, _ text: String) -> [UInt8] {
    let count = fieldLength(text.utf8.count)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // A field without text has no bytes, and an array without bytes no buffer.
      guard let start = buffer.baseAddress, count > 0 else { return }
      var writer = WireWriter(next: UnsafeMutableRawPointer(start))
      writer.text(tag, text.utf8Span.span)
      initialized = count
    }
  }

  /// The tags of the fields of `user.v1.User`: number and wire type.
  private enum Tag {
    static let id: UInt8 = 1 << 3 | 2
    static let email: UInt8 = 2 << 3 | 2
    static let name: UInt8 = 3 << 3 | 2
    static let status: UInt8 = 4 << 3 | 0
    static let createdAt: UInt8 = 5 << 3 | 2
    static let pageToken: UInt8 = 6 << 3 | 2
    static let updateTime: UInt8 = 7 << 3 | 2
    static let deleteTime: UInt8 = 8 << 3 | 2
    static let purgeTime: UInt8 = 9 << 3 | 2
    static let etag: UInt8 = 10 << 3 | 2
    static let labels: UInt8 = 11 << 3 | 2
    static let updateID: UInt8 = 12 << 3 | 2
    /// In an entry of a map.
    static let key: UInt8 = 1 << 3 | 2
    static let value: UInt8 = 2 << 3 | 2
  }

  private static func length(_ value: UInt64) -> Int { WireWriter.length(value) }

  /// Returns the length of a field with `count` bytes of text; 0 for an empty text, which proto3 omits.
  private static func fieldLength(_ count: Int) -> Int {
    count == 0 ? 0 : 1 + length(UInt64(count)) + count
  }

  private static func timeLength(_ time: Timestamp) -> Int {
    let (seconds, nanos) = time.secondsAndNanos
    return 2 + (seconds == 0 ? 0 : 1 + length(UInt64(bitPattern: seconds)))
      + (nanos == 0 ? 0 : 1 + length(nanos))
  }

  private static func labelsLength(_ labels: UserLabels) -> Int {
    if labels.isEmpty { return 0 }
    var count = 0
    labels.forEach { key, value in
      let entry = entryLength(key, value)
      count += 1 + length(UInt64(entry)) + entry
    }
    return count
  }

  /// Returns the length of a map's entry, whose fields are written even if they are empty.
  private static func entryLength(_ key: Span<UInt8>, _ value: Span<UInt8>) -> Int {
    2 + length(UInt64(key.count)) + key.count + length(UInt64(value.count)) + value.count
  }
}

extension Timestamp {
  /// The time as google.protobuf.Timestamp counts it: nanoseconds count forward from the second, also before 1970.
  var secondsAndNanos: (seconds: Int64, nanos: UInt64) {
    let (seconds, rest) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    return rest < 0
      ? (seconds - 1, UInt64(rest + 1_000_000) * 1_000) : (seconds, UInt64(rest) * 1_000)
  }
}
