/// The client's side of its streams, as far as HEADERS, END_STREAM and RST_STREAM tell: the streams on which it may
/// still send. nghttp2 forgets this when a stream is closed.
struct ClientStreams {
  /// A violation of the stream states.
  enum Violation: Equatable {
    /// A stream was opened after one with a higher id, which is a connection error (RFC 9113 §5.1.1).
    case passedOver
    /// A frame arrived on a stream that the client has closed: STREAM_CLOSED (RFC 9113 §5.1).
    case ended
  }

  /// The most gaps between stream ids that are kept; the oldest are dropped first. Well-behaved clients leave none.
  private static let maxGaps = 32
  /// The most streams that are kept. A stream closed by the server stays until the client closes it too.
  private static let maxOpen = 2_000

  private var highest: UInt32 = 0
  private var gaps: [ClosedRange<UInt32>] = []
  /// In ascending order.
  private var open: [UInt32] = []

  /// How many streams and gaps it keeps.
  var count: Int { open.count + gaps.count }

  /// The client has sent HEADERS.
  mutating func headersReceived(_ id: UInt32, endsStream: Bool) -> Violation? {
    guard id % 2 == 1 else { return nil }
    if id <= highest {
      if let index = openIndex(of: id) {
        if endsStream { open.remove(at: index) }
        return nil
      }
      return gaps.contains { $0.contains(id) } ? .passedOver : .ended
    }
    let expected = highest == 0 ? 1 : highest + 2
    if id > expected {
      if gaps.count == Self.maxGaps { gaps.removeFirst() }
      gaps.append(expected...id - 2)
    }
    highest = id
    if !endsStream { open.append(id) }
    return nil
  }

  private func openIndex(of id: UInt32) -> Int? {
    var (low, high) = (0, open.count)
    while low < high {
      let middle = (low + high) / 2
      if open[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < open.count && open[low] == id ? low : nil
  }

  /// Whether there are more open streams than may stay: ``forget(where:)`` is to be called.
  var isFull: Bool { open.count > Self.maxOpen }

  /// Forgets the older half of the streams, but for those that are not `unserved`.
  mutating func forget(where unserved: (UInt32) -> Bool) {
    let older = open.dropLast(Self.maxOpen / 2)
    open = older.filter { !unserved($0) } + open.suffix(Self.maxOpen / 2)
  }

  /// Records DATA of the client. nghttp2 reports DATA on streams that were never opened.
  mutating func dataReceived(_ id: UInt32, endsStream: Bool) -> Violation? {
    guard id <= highest, id % 2 == 1 else { return nil }
    guard let index = openIndex(of: id) else { return gaps.contains { $0.contains(id) } ? nil : .ended }
    if endsStream { open.remove(at: index) }
    return nil
  }

  /// Records RST_STREAM of the client. Returns whether the client could still have sent on the stream.
  @discardableResult
  mutating func resetReceived(_ id: UInt32) -> Bool {
    guard let index = openIndex(of: id) else { return false }
    open.remove(at: index)
    return true
  }
}
