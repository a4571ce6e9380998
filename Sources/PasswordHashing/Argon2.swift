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
  /// - Throws: `Failure`, as `tag(of:salt:length:_:parameters:)` does.
  static func hash(
    _ password: String, salt: [UInt8], parameters: Argon2Parameters, tagLength: Int
  ) throws(Failure) -> String {
    let tag = try tag(
      of: Array(password.utf8), salt: salt, length: tagLength, .id, parameters: parameters)
    return PHCString(parameters, salt: salt, tag: tag).text
  }

  /// Returns the tag of `password`. All lanes are computed on the calling thread, one after the other.
  ///
  /// - Throws: libargon2's code. The types keep lengths and costs within its bounds, which leaves
  ///   ARGON2_MEMORY_ALLOCATION_ERROR.
  static func tag(
    of password: [UInt8], salt: [UInt8], length: Int, _ variant: Variant, parameters: Argon2Parameters
  ) throws(Failure) -> [UInt8] {
    // libargon2's pointers are mutable, although its default flags leave the inputs as they are.
    var (password, salt, tag) = (password, salt, [UInt8](repeating: 0, count: length))
    var context = argon2_context()
    context.m_cost = UInt32(parameters.memoryKiB)
    context.t_cost = UInt32(parameters.iterations)
    context.lanes = UInt32(parameters.parallelism)
    // More would start threads beside those of the pool.
    context.threads = 1
    context.version = ARGON2_VERSION_13.rawValue
    let code = password.withUnsafeMutableBufferPointer { password in
      salt.withUnsafeMutableBufferPointer { salt in
        tag.withUnsafeMutableBufferPointer { tag in
          (context.pwd, context.pwdlen) = (password.baseAddress, UInt32(password.count))
          (context.salt, context.saltlen) = (salt.baseAddress, UInt32(salt.count))
          (context.out, context.outlen) = (tag.baseAddress, UInt32(tag.count))
          return argon2_ctx(&context, variant.type)
        }
      }
    }
    guard code == ARGON2_OK.rawValue else { throw Failure(code: code) }
    return tag
  }

  /// A call that libargon2 has refused.
  struct Failure: Error, CustomStringConvertible {
    let code: CInt
    var description: String { "libargon2: \(String(cString: argon2_error_message(code))) (\(code))" }
  }
}
