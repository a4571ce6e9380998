import UserDomain

/// What a system's hash function gets for a typed password.
struct Phrase: Hashable, Redacted {
  let bytes: [UInt8]
  /// Whether every byte of the typed text counts. If not, texts that differ from the original password match, too.
  let coversText: Bool
}

/// How a system makes a phrase of a typed password, before anything else that its format does with it.
enum PhraseRule {
  /// The password as typed.
  case asTyped
  /// The first 72 bytes, which are all that bcrypt uses.
  case bcrypt
  /// Without spaces around it, and as PHP's addslashes() has it: WordPress trims passwords, and gets those of its forms
  /// with slashes (wp-includes/load.php, wp_magic_quotes; user.php, wp_signon and wp_authenticate).
  case wordPress
  /// As typed, or as WordPress has it: phpass is WordPress's before 6.8, and other systems', too.
  case phpass
  /// As PHP's htmlspecialchars() has it, or as typed: phpBB escapes the fields of its forms
  /// (phpbb/request/type_cast_helper.php).
  case phpBB

  /// Returns the distinct phrases that the system may have made of `text`, the likeliest first.
  func phrases(of text: [UInt8]) -> [Phrase] {
    let typed = Phrase(bytes: text, coversText: true)
    let phrases: [Phrase] =
      switch self {
      case .asTyped: [typed]
      case .bcrypt: [Phrase(bytes: Array(text.prefix(72)), coversText: text.count <= 72)]
      case .wordPress: Self.wordPress(text)
      case .phpass: [typed] + Self.wordPress(text)
      case .phpBB: [typed, Phrase(bytes: Self.withHTMLEscapes(text), coversText: true)]
      }
    return phrases.enumerated().filter { index, phrase in !phrases[..<index].contains(phrase) }.map(\.element)
  }

  private static func wordPress(_ text: [UInt8]) -> [Phrase] {
    let trimmed = trimmed(text)
    return [trimmed, withSlashes(trimmed)].map { bytes in
      Phrase(bytes: bytes, coversText: trimmed.count == text.count)
    }
  }

  /// PHP's trim(), for text without NUL.
  private static func trimmed(_ text: [UInt8]) -> [UInt8] {
    let spaces: Set<UInt8> = [0x09, 0x0a, 0x0b, 0x0d, 0x20]
    return text.drop(while: spaces.contains).reversed().drop(while: spaces.contains).reversed()
  }

  /// PHP's addslashes(), for text without NUL.
  private static func withSlashes(_ text: [UInt8]) -> [UInt8] {
    text.flatMap { byte in #"'"\"#.utf8.contains(byte) ? [UInt8(ascii: "\\"), byte] : [byte] }
  }

  /// PHP's htmlspecialchars() with ENT_COMPAT, which leaves `'` as it is.
  private static func withHTMLEscapes(_ text: [UInt8]) -> [UInt8] {
    text.flatMap { byte in
      switch byte {
      case UInt8(ascii: "&"): Array("&amp;".utf8)
      case UInt8(ascii: "\""): Array("&quot;".utf8)
      case UInt8(ascii: "<"): Array("&lt;".utf8)
      case UInt8(ascii: ">"): Array("&gt;".utf8)
      default: [byte]
      }
    }
  }
}
