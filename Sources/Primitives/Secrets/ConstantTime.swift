/// Returns whether two secret byte strings are equal, in a time that depends only on their lengths.
public func isEqualInConstantTime(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
  left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}

/// Returns whether two secret byte strings in memory are equal, in a time that depends only on their lengths. It
/// compares eight bytes at a time.
public func isEqualInConstantTime(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
  guard left.count == right.count else { return false }
  var difference: UInt64 = 0
  var index = 0
  while index + 8 <= left.count {
    difference |=
      left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      ^ right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    index += 8
  }
  while index < left.count {
    difference |= UInt64(left[index] ^ right[index])
    index += 1
  }
  return difference == 0
}
