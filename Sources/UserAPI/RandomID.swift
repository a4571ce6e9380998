import UserDomain

/// Ids for the log: of a request, of an unexpected failure.
enum RandomID {
  /// 16 hexadecimal digits.
  static func make() -> String {
    var number: UInt64 = 0
    withUnsafeMutableBytes(of: &number) { SystemRandom.fill($0) }
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
