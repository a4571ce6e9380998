import Crypto
import Foundation
import Primitives

/// The identity of a session: 128 random bits.
public struct SessionID: Hashable, Sendable {
  /// The length of an id in bytes.
  public static let length = 16

  /// The id's 16 bytes.
  public let bytes: [UInt8]

  /// Creates an id of 16 bytes; nil for any other number of bytes.
  public init?(bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count == Self.length else { return nil }
    self.bytes = bytes
  }

  /// Returns a new id.
  public static func random() -> SessionID { SessionID(trusted: SystemRandom.bytes(length)) }

  private init(trusted bytes: [UInt8]) { self.bytes = bytes }
}

extension SessionID: CustomStringConvertible {
  /// The id in base64url.
  public var description: String { Base64URL.encode(bytes) }
}

/// The secret that continues a session: opaque to clients, impossible to forge, valid once.
///
/// A token is base64url of the session's id, a 16-byte nonce and the first 16 bytes of an HMAC-SHA256 over both. The
/// HMAC key belongs to the database. An invented token is therefore refused without a read, and every token with a
/// valid tag was once issued. The store keeps only the hash of the current token. A token never prints itself.
public struct RefreshToken: Sendable, Redacted {
  /// The session that the token continues.
  public let session: SessionID
  private let nonce: [UInt8]
  private let tag: [UInt8]

  private static let nonceLength = 16
  private static let tagLength = 16
  private static let purpose = Array("auth.v1.RefreshToken".utf8)
  private static let successorPurpose = Array("auth.v1.RefreshToken.successor".utf8)

  /// Creates the first token of `session`.
  init(session: SessionID, key: SymmetricKey) {
    self.init(session: session, nonce: SystemRandom.bytes(Self.nonceLength), key: key)
  }

  private init(session: SessionID, nonce: [UInt8], key: SymmetricKey) {
    self.session = session
    self.nonce = nonce
    tag = Self.tag(session, nonce, key)
  }

  /// Parses a token.
  ///
  /// - Throws: `UserError.unauthenticated`: `malformed`, or `untrusted` for a token not made with `key`.
  init(_ text: String, key: SymmetricKey) throws(UserError) {
    let length = SessionID.length + Self.nonceLength + Self.tagLength
    // 4 characters are 3 bytes.
    guard text.utf8.count == length / 3 * 4, let bytes = Base64URL.decode(text), bytes.count == length,
      let session = SessionID(bytes: bytes.prefix(SessionID.length))
    else { throw .unauthenticated(.malformed) }
    let nonce = Array(bytes.dropFirst(SessionID.length).prefix(Self.nonceLength))
    let tag = Array(bytes.suffix(Self.tagLength))
    guard isEqualInConstantTime(tag, Self.tag(session, nonce, key)) else {
      throw .unauthenticated(.untrusted)
    }
    (self.session, self.nonce, self.tag) = (session, nonce, tag)
  }

  /// Returns the token that follows this one. It is always the same, so retrying a refresh does not fork the session.
  func successor(key: SymmetricKey) -> RefreshToken {
    let code = HMAC<SHA256>.authenticationCode(for: Self.successorPurpose + session.bytes + nonce, using: key)
    return RefreshToken(session: session, nonce: Array(code.prefix(Self.nonceLength)), key: key)
  }

  /// The 32-byte hash that the store keeps.
  var hash: [UInt8] { Array(SHA256.hash(data: session.bytes + nonce + tag)) }

  /// The token's text of 64 characters, meant only for the client.
  var text: String { Base64URL.encode(session.bytes + nonce + tag) }

  private static func tag(_ session: SessionID, _ nonce: [UInt8], _ key: SymmetricKey) -> [UInt8] {
    Array(
      HMAC<SHA256>.authenticationCode(for: purpose + session.bytes + nonce, using: key).prefix(tagLength))
  }
}
