import NIOCore

/// Parses `grpc-timeout`: 1 to 8 digits and one of `H M S m u n` (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
enum RequestTimeout {
  /// The longest time-out; longer ones are shortened to it. 99999999H would be 11,000 years.
  private static let longest = TimeAmount.hours(24 * 365)

  /// Returns the time-out, or nil if it is malformed.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> TimeAmount? {
    guard (2...9).contains(text.count) else { return nil }
    var count: Int64 = 0
    for byte in text.dropLast() {
      guard (0x30...0x39).contains(byte) else { return nil }
      count = count * 10 + Int64(byte - 0x30)
    }
    switch text[text.count - 1] {
    case UInt8(ascii: "H"): return min(.hours(min(count, 100_000)), longest)
    case UInt8(ascii: "M"): return min(.minutes(count), longest)
    case UInt8(ascii: "S"): return min(.seconds(count), longest)
    case UInt8(ascii: "m"): return .milliseconds(count)
    case UInt8(ascii: "u"): return .microseconds(count)
    case UInt8(ascii: "n"): return .nanoseconds(count)
    default: return nil
    }
  }
}
