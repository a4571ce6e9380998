import NIOCore

/// The memory of a call that is over, for the next one.
struct StreamMemory {
  /// What takes more than this is given back to the system.
  private static let largest = 4_096

  var fields = RequestFields()
  var request = ByteBuffer()
  var response = ByteBuffer()

  /// Whether it is worth keeping, and not too much.
  var isReusable: Bool {
    max(fields.capacity, request.capacity, response.capacity) <= Self.largest && response.capacity > 0
  }

  mutating func takeFields() -> RequestFields { exchange(&fields, with: RequestFields()) }

  /// Forgets what was in it.
  mutating func clear() {
    fields.removeAll()
    request.clear()
    response.clear()
  }
}
