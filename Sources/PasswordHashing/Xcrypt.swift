import CXcrypt
import Foundation
import Primitives
import UserDomain

/// libxcrypt (crypt(3), crypt(5)), with the failures documented beside the call.
enum Xcrypt {
  /// The maximum length of a phrase in bytes: one less than `CRYPT_MAX_PASSPHRASE_SIZE`.
  static let maximumPhraseLength = 511

  /// Returns whether `stored`, a whole hash in the format of crypt(5), is one of `phrase`: whether hashing with its
  /// setting gives the same last `checksumLength` bytes. The bytes before them are the setting.
  ///
  /// A phrase with a NUL, where crypt(3) would end it, or a longer one than libxcrypt takes, matches nothing.
  ///
  /// - Throws: `UserError.passwordHashing` for EINVAL, a setting that is invalid, or ENOMEM.
  static func matches(_ phrase: [UInt8], _ stored: String, checksumLength: Int) throws(UserError) -> Bool {
    guard phrase.count <= maximumPhraseLength, !phrase.contains(0) else { return false }
    let terminated = phrase.map { CChar(bitPattern: $0) } + [0]
    let size = MemoryLayout<crypt_data>.size
    // 32 KiB with the hash's intermediate state, which libxcrypt clears; zeroed as crypt_rn requires.
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    scratch.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    defer { scratch.deallocate() }
    guard let output = crypt_rn(terminated, stored, scratch, CInt(size)) else {
      throw .passwordHashing("libxcrypt: \(String(cString: strerror(errno)))")
    }
    let computed = UnsafeRawBufferPointer(start: output, count: strlen(output))
    return isEqualInConstantTime(computed.suffix(checksumLength), stored.utf8.suffix(checksumLength))
  }
}
