/// The types of frames (RFC 9113 §6).
enum FrameType: UInt8 {
  case data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
}

/// Scans the frames of a connection by their 9-byte headers (RFC 9113 §4.1), ahead of nghttp2, which reports only
/// accepted frames. Does not check them.
struct FrameScanner {
  /// The header of a frame, and the start of some payloads.
  struct Frame: Equatable {
    let length: Int
    let type: UInt8
    let flags: UInt8
    let streamID: UInt32
    /// The start of the payload: the stream that PRIORITY depends on, the increment of WINDOW_UPDATE, or the padding
    /// length of padded DATA. Nil for other frames and shorter ones.
    var detail: UInt32?

    var isAcknowledgement: Bool { flags & 0x1 != 0 }
    var endsStream: Bool { flags & 0x1 != 0 }
    var endsHeaders: Bool { flags & 0x4 != 0 }

    fileprivate var detailLength: Int {
      switch FrameType(rawValue: type) {
      case .priority, .windowUpdate: length >= 4 ? 4 : 0
      case .data where flags & 0x8 != 0: length >= 1 ? 1 : 0
      default: 0
      }
    }
  }

  private static let headerLength = 9

  /// The bytes to skip: first the preface, later the rest of the current frame's payload.
  private var skip = 24
  /// The start of a frame whose header or detail is incomplete.
  private var partial: [UInt8] = []

  init() {
    partial.reserveCapacity(Self.headerLength + 4)
  }

  /// Whether a frame is incomplete, even if only one byte of its header has arrived.
  var isMidFrame: Bool { skip > 0 || !partial.isEmpty }

  /// The next frame whose header, and detail, ends in `rest`, of which it takes what comes before and they; nil if there is
  /// none, and then it takes all.
  mutating func next(in rest: inout Slice<UnsafeRawBufferPointer>) -> Frame? {
    while !rest.isEmpty {
      if skip > 0 {
        let count = min(skip, rest.count)
        skip -= count
        rest = rest.dropFirst(count)
      } else if partial.isEmpty, rest.count >= Self.headerLength + 4 {
        // The usual case, without a copy.
        guard let (frame, taken) = begin(UnsafeRawBufferPointer(rebasing: rest)) else { return nil }
        rest = rest.dropFirst(taken)
        return frame
      } else {
        partial.append(rest[rest.startIndex])
        rest = rest.dropFirst()
        guard let (frame, _) = partial.withUnsafeBytes({ begin($0) }) else { continue }
        partial.removeAll(keepingCapacity: true)
        return frame
      }
    }
    return nil
  }

  /// Returns a frame, and how many bytes its header and detail are, or nil if they are not all there.
  private mutating func begin(_ bytes: UnsafeRawBufferPointer) -> (Frame, Int)? {
    guard bytes.count >= Self.headerLength else { return nil }
    func byte(_ offset: Int) -> UInt32 { UInt32(bytes[offset]) }
    func word(_ offset: Int) -> UInt32 {
      (byte(offset) << 24 | byte(offset + 1) << 16 | byte(offset + 2) << 8 | byte(offset + 3)) & 0x7fff_ffff
    }
    var frame = Frame(
      length: Int(byte(0) << 16 | byte(1) << 8 | byte(2)), type: bytes[3], flags: bytes[4], streamID: word(5))
    let taken = Self.headerLength + frame.detailLength
    guard bytes.count >= taken else { return nil }
    if frame.detailLength == 4 { frame.detail = word(Self.headerLength) }
    if frame.detailLength == 1 { frame.detail = byte(Self.headerLength) }
    skip = Self.headerLength + frame.length - taken
    return (frame, taken)
  }
}
