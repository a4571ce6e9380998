import Crypto
import Foundation
import Primitives
import UserDomain

/// Encodes page tokens: opaque to clients and impossible to forge (AIP-158).
///
/// A token is base64url (RFC 4648 §5, unpadded) of the last user's id and the first 16 bytes of an HMAC-SHA256 over it.
/// The key belongs to the database: tokens survive a restart, and another database rejects them.
public struct PageTokenCodec: Sendable {
  /// The length of the key that ``init(key:)`` takes, in bytes.
  public static let keyLength = 32

  private static let purpose = Array("user.v1.ListUsers".utf8)
  private static let tagLength = 16

  private let key: SymmetricKey

  /// Creates a codec of tokens under `key`.
  public init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  /// Returns the token of a listing that continues after `id`.
  func token(after id: UserID) -> String {
    let bytes = id.withUnsafeBytes { Data($0) }
    return Base64URL.encode(bytes + tag(bytes))
  }

  /// Returns the id in `token`, or nil for any other text.
  func id(from token: String) -> UserID? {
    // 32 bytes are 43 characters.
    guard token.utf8.count == 43, let bytes = Base64URL.decode(token), bytes.count == 16 + Self.tagLength
    else {
      return nil
    }
    let (id, tag) = (bytes.prefix(16), bytes.suffix(Self.tagLength))
    guard isEqualInConstantTime(tag, self.tag(id)) else { return nil }
    return id.withUnsafeBytes { UserID(bytes: $0) }
  }

  private func tag(_ id: Data) -> Data {
    Data(HMAC<SHA256>.authenticationCode(for: Self.purpose + id, using: key)).prefix(Self.tagLength)
  }
}
