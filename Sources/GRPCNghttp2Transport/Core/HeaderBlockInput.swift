/// The header block that is being decoded, of which there is one at a time (RFC 9113 §4.3).
enum HeaderBlockInput: Equatable {
  case none
  /// Of a request, by the slot of its call.
  case request(slot: Int)
  /// Of a request that is refused.
  case refused
  /// Behind a request's messages.
  case trailers(areMalformed: Bool)
}

/// The size of a header block as it is decoded (RFC 9113 §6.5.2).
struct HeaderListSize {
  /// A block this many times as large as the limit ends the connection: the block has to be decoded to the end, whatever
  /// becomes of its request.
  private static let bombFactor = 16

  private var count = 0

  /// A block begins.
  mutating func begin() { count = 0 }

  /// Counts a field. Returns whether the block may go on.
  mutating func add(_ nameCount: Int, _ valueCount: Int, limit: Int) -> Bool {
    count += nameCount + valueCount + 32
    return count <= limit * Self.bombFactor
  }
}
