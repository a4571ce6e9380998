public import Foundation

/// base64url without padding (RFC 4648 §5), as in tokens and JWKs.
public enum Base64URL {
  /// Returns the text form of `bytes`.
  public static func encode(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString()
      .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  /// Decodes `text`; nil if it has padding, white space or any other invalid character.
  public static func decode(_ text: some StringProtocol) -> Data? {
    guard text.utf8.allSatisfy(isDigit) else { return nil }
    let standard = String(text).replacing("-", with: "+").replacing("_", with: "/")
    return Data(base64Encoded: standard + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4))
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
  }
}
