import Foundation

/// An IP address, parsed from its text (inet_pton(3)) without a lookup.
public enum IPAddress: Hashable, Sendable {
  /// An IPv4 address, big-endian.
  case v4(UInt32)
  /// An IPv6 address: its first and its last eight bytes, each big-endian.
  case v6(high: UInt64, low: UInt64)

  /// Parses `127.0.0.1`, `2001:db8::1` or, for a link-local address, `fe80::1%eth0`, dropping the zone. Returns nil for
  /// any other text, including names and brackets.
  public init?(_ text: some StringProtocol) {
    // A C string ends at the first NUL.
    guard !text.utf8.contains(0) else { return nil }
    guard text.contains(":") else {
      var number: UInt32 = 0
      guard inet_pton(AF_INET, String(text), &number) == 1 else { return nil }
      self = .v4(UInt32(bigEndian: number))
      return
    }
    let address = text.prefix { $0 != "%" }
    // A zone has a name (RFC 4007 §11).
    guard address.endIndex == text.endIndex || text.dropFirst(address.count) != "%" else { return nil }
    var halves: (UInt64, UInt64) = (0, 0)
    guard inet_pton(AF_INET6, String(address), &halves) == 1 else { return nil }
    self = .v6(high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
  }

  /// The IPv4 address in an IPv4-mapped one, as a dual-stack socket sees it (RFC 4291 §2.5.5.2), else the address
  /// itself.
  public var unmapped: IPAddress {
    guard case .v6(0, let low) = self, low >> 32 == 0xffff else { return self }
    return .v4(UInt32(truncatingIfNeeded: low))
  }

  /// Whether the address is local to this machine: 127.0.0.0/8 (RFC 1122 §3.2.1.3), mapped or not, and ::1 (RFC 4291
  /// §2.5.3).
  public var isLoopback: Bool {
    switch unmapped {
    case .v4(let number): number >> 24 == 127
    case .v6(let high, let low): high == 0 && low == 1
    }
  }
}

extension IPAddress: CustomStringConvertible {
  /// The text that ``init(_:)`` parses: dotted decimal, or groups of hexadecimal digits with `::` for the longest run
  /// of zeros.
  public var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      // Cannot fail: both families are supported, and the buffer holds the longest text (inet_ntop(3)).
      switch self {
      case .v4(let number):
        var number = number.bigEndian
        inet_ntop(AF_INET, &number, text.baseAddress, socklen_t(text.count))
      case .v6(let high, let low):
        var halves = (high.bigEndian, low.bigEndian)
        inet_ntop(AF_INET6, &halves, text.baseAddress, socklen_t(text.count))
      }
      return text.baseAddress.map { String(cString: $0) } ?? ""
    }
  }
}
