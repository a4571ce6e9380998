import Primitives

/// The id of an access token that the service signed: 128 random bits, the claim `jti` (RFC 7519 §4.1.7). It holds no
/// reference, because every call copies its claims.
public struct TokenID: Hashable, Sendable {
  /// The length of an id in bytes.
  public static let length = 16

  private let high: UInt64
  private let low: UInt64

  /// Creates an id of 16 bytes; nil for any other number of bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.length else { return nil }
    high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Parses `text` as base64url; nil if it is not an id.
  public init?(_ text: some StringProtocol) {
    guard let bytes = Base64URL.decode(text) else { return nil }
    self.init(bytes: bytes)
  }

  private init(words: (UInt64, UInt64)) {
    (high, low) = words
  }

  /// Returns a new id.
  public static func random() -> TokenID {
    var words: (UInt64, UInt64) = (0, 0)
    withUnsafeMutableBytes(of: &words) { SystemRandom.fill($0) }
    return TokenID(words: words)
  }

  /// The id's 16 bytes.
  public var bytes: [UInt8] {
    [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }
}

extension TokenID: CustomStringConvertible {
  /// The id in base64url, 22 characters.
  public var description: String { Base64URL.encode(bytes) }
}
