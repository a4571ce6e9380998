/// The header block being decoded; a connection has at most one at a time (RFC 9113 §4.3).
enum HeaderBlockInput: Equatable {
  case none
  /// The header block of a request, with the slot of its call.
  case request(slot: Int)
  /// The header block of a refused request.
  case refused
  /// The trailers of a request.
  case trailers(areMalformed: Bool)
}

/// The size of a header block as it is decoded (RFC 9113 §6.5.2).
struct HeaderListSize {
  /// The factor by which a block must exceed the limit to end the connection. Smaller blocks are decoded to the end
  /// even if their requests are refused.
  private static let bombFactor = 16

  private var count = 0

  /// Starts a block.
  mutating func begin() { count = 0 }

  /// Counts a field. Returns whether the block may continue.
  mutating func add(_ nameCount: Int, _ valueCount: Int, limit: Int) -> Bool {
    count += nameCount + valueCount + 32
    return count <= limit * Self.bombFactor
  }
}
