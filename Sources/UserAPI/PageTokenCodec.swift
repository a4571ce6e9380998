import Crypto
import Foundation
import Primitives
import UserDomain

/// Encodes page tokens: opaque to clients and impossible to forge (AIP-158).
///
/// A token is base64url (RFC 4648 §5, unpadded) of a position and the first 16 bytes of an HMAC-SHA256 over it and over
/// what the listing is about: a token of another filter is refused. The key belongs to the database: tokens survive a
/// restart, and another database rejects them.
public struct PageTokenCodec: Sendable {
  /// The length of the key that ``init(key:)`` takes, in bytes.
  public static let keyLength = 32

  private let key: SymmetricKey

  /// Creates a codec of tokens under `key`.
  public init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  /// Returns the tokens of listings with this filter, as the client writes it.
  func tokens(filter: String = "", showsDeleted: Bool = false) -> Tokens {
    var purpose = Data("user.v1.ListUsers".utf8)
    // Listings of all users have had tokens before there were filters.
    if !filter.isEmpty || showsDeleted {
      purpose.append(showsDeleted ? 1 : 0)
      purpose.append(contentsOf: SHA256.hash(data: Data(filter.utf8)))
    }
    return Tokens(key: key, purpose: purpose)
  }

  /// Returns the tokens of exports.
  func exportTokens() -> Tokens { Tokens(key: key, purpose: Data("user.v1.ExportUsers".utf8)) }

  /// The tokens of listings of one kind.
  struct Tokens: Sendable {
    private static let tagLength = 16
    /// The bytes of a position of an id alone.
    private static let idLength = 16

    fileprivate let key: SymmetricKey
    fileprivate let purpose: Data

    /// Returns the token of a listing that continues after `position`.
    func token(after position: ListingPosition) -> String {
      let bytes = Self.bytes(of: position)
      return Base64URL.encode(bytes + tag(bytes))
    }

    /// Returns the position in `token`, or nil for any other text.
    func position(from token: String) -> ListingPosition? {
      guard let bytes = Base64URL.decode(token), bytes.count >= Self.idLength + Self.tagLength else {
        return nil
      }
      let (position, tag) = (Data(bytes.dropLast(Self.tagLength)), bytes.suffix(Self.tagLength))
      guard isEqualInConstantTime(tag, self.tag(position)) else { return nil }
      return Self.position(position)
    }

    private func tag(_ position: Data) -> Data {
      Data(HMAC<SHA256>.authenticationCode(for: purpose + position, using: key)).prefix(Self.tagLength)
    }

    /// An id, and what comes before it in the order: `t` and a text, or `m` and a time in microseconds, big-endian.
    private static func bytes(of position: ListingPosition) -> Data {
      func bytes(_ id: UserID, _ rest: some Sequence<UInt8>) -> Data {
        id.withUnsafeBytes { Data($0) } + rest
      }
      switch position {
      case .id(let id): return bytes(id, [])
      case .text(let text, let id): return bytes(id, [UInt8(ascii: "t")] + Array(text.utf8))
      case .time(let time, let id):
        let microseconds = UInt64(bitPattern: time.microsecondsSinceEpoch)
        return bytes(
          id, [UInt8(ascii: "m")] + (0..<8).map { UInt8(truncatingIfNeeded: microseconds >> (56 - 8 * $0)) })
      }
    }

    private static func position(_ bytes: Data) -> ListingPosition? {
      guard let id = bytes.prefix(idLength).withUnsafeBytes(UserID.init(bytes:)) else { return nil }
      let rest = bytes.dropFirst(idLength)
      switch rest.first {
      case nil: return .id(id)
      case UInt8(ascii: "t"): return .text(String(decoding: rest.dropFirst(), as: UTF8.self), id)
      case UInt8(ascii: "m") where rest.count == 9:
        let microseconds = rest.dropFirst().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return .time(Timestamp(microsecondsSinceEpoch: Int64(bitPattern: microseconds)), id)
      default: return nil
      }
    }
  }
}
