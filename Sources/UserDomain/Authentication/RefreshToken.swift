import Crypto
import Foundation
import Primitives

/// The identity of a session: 128 random bits.
public struct SessionID: Hashable, Sendable {
  /// Bytes of an id.
  public static let length = 16

  /// The id's 16 bytes.
  public let bytes: [UInt8]

  /// The id of these bytes, or nil if there are not 16 of them.
  public init?(bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count == Self.length else { return nil }
    self.bytes = bytes
  }

  /// A new id.
  public static func random() -> SessionID { SessionID(trusted: SystemRandom.bytes(length)) }

  private init(trusted bytes: [UInt8]) { self.bytes = bytes }
}

extension SessionID: CustomStringConvertible {
  /// base64url.
  public var description: String { Base64URL.encode(bytes) }
}

/// What a session is continued with: opaque to clients, impossible to forge, good once.
///
/// A token is base64url of the session's id, a nonce of 16 bytes and the first 16 bytes of an HMAC-SHA256
/// over both, under a key of the database's own. So a text that somebody made up is refused before anything
/// is read, and what has a good tag was given out at some time. The store keeps a hash of the token that is
/// good now. It does not print itself.
public struct RefreshToken: Sendable {
  /// The session that it continues.
  public let session: SessionID
  private let nonce: [UInt8]
  private let tag: [UInt8]

  private static let nonceLength = 16
  private static let tagLength = 16
  private static let purpose = Array("auth.v1.RefreshToken".utf8)
  private static let successorPurpose = Array("auth.v1.RefreshToken.successor".utf8)

  /// The first token of `session`.
  init(session: SessionID, key: SymmetricKey) {
    self.init(session: session, nonce: SystemRandom.bytes(Self.nonceLength), key: key)
  }

  private init(session: SessionID, nonce: [UInt8], key: SymmetricKey) {
    self.session = session
    self.nonce = nonce
    tag = Self.tag(session, nonce, key)
  }

  /// Reads a token.
  ///
  /// - Throws: `UserError.unauthenticated`: `malformed`, or `untrusted` if it was not made with `key`.
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

  /// The token that follows this one: always the same, so that asking twice gives no two tokens.
  func successor(key: SymmetricKey) -> RefreshToken {
    let code = HMAC<SHA256>.authenticationCode(for: Self.successorPurpose + session.bytes + nonce, using: key)
    return RefreshToken(session: session, nonce: Array(code.prefix(Self.nonceLength)), key: key)
  }

  /// What the store keeps: 32 bytes.
  var hash: [UInt8] { Array(SHA256.hash(data: session.bytes + nonce + tag)) }

  /// The token itself, for the client alone: 64 characters.
  var text: String { Base64URL.encode(session.bytes + nonce + tag) }

  private static func tag(_ session: SessionID, _ nonce: [UInt8], _ key: SymmetricKey) -> [UInt8] {
    Array(
      HMAC<SHA256>.authenticationCode(for: purpose + session.bytes + nonce, using: key).prefix(tagLength))
  }
}

extension RefreshToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// A placeholder: a token is never printed.
  public var description: String { "<refresh token>" }
  /// A placeholder: a token is never printed.
  public var debugDescription: String { description }
  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
