import CArgon2

/// libargon2, with each call's failures documented beside the call (argon2.h).
enum Argon2 {
  /// How the order of memory accesses is chosen (RFC 9106 §3.4), by its name in PHC strings.
  enum Variant: String {
    case d = "argon2d"
    case i = "argon2i"
    case id = "argon2id"

    fileprivate var type: Argon2_type {
      switch self {
      case .d: Argon2_d
      case .i: Argon2_i
      case .id: Argon2_id
      }
    }
  }

  /// Hashes `password` with `salt` into a PHC string.
  ///
  /// - Throws: libargon2's code. The types keep lengths and costs within its bounds, which leaves
  ///   ARGON2_MEMORY_ALLOCATION_ERROR and ARGON2_THREAD_FAIL.
  static func hash(
    _ password: String, salt: [UInt8], parameters: Argon2Parameters, tagLength: Int
  ) throws(Failure) -> String {
    let m = UInt32(parameters.memoryKiB)
    let t = UInt32(parameters.iterations)
    let p = UInt32(parameters.parallelism)
    // The capacity includes the terminating NUL.
    let capacity = argon2_encodedlen(t, m, p, UInt32(salt.count), UInt32(tagLength), Argon2_id)
    var password = password
    var encoded = [CChar](repeating: 0, count: capacity)
    let code = password.withUTF8 { bytes in
      argon2id_hash_encoded(
        t, m, p, bytes.baseAddress, bytes.count, salt, salt.count, tagLength, &encoded, encoded.count)
    }
    guard code == ARGON2_OK.rawValue else { throw Failure(code: code) }
    return encoded.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// Returns whether `encoded` is a hash of `password`. libargon2 compares tags in constant time.
  ///
  /// - Throws: libargon2's code if the hash could not be computed; a mismatch is `false`.
  static func verify(
    _ password: [UInt8], encoded: String, _ variant: Variant
  ) throws(Failure) -> Bool {
    let code = argon2_verify(encoded, password, password.count, variant.type)
    switch code {
    case ARGON2_OK.rawValue: return true
    case ARGON2_VERIFY_MISMATCH.rawValue: return false
    default: throw Failure(code: code)
    }
  }

  /// A call that libargon2 has refused.
  struct Failure: Error, CustomStringConvertible {
    let code: CInt
    var description: String { "libargon2: \(String(cString: argon2_error_message(code))) (\(code))" }
  }
}
