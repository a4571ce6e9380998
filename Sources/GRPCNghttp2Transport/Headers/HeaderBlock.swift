import CNghttp2
import GRPCCore

/// A header block for nghttp2. Constant names and values are stored by reference, all others in one buffer.
struct HeaderBlock {
  private struct Field {
    var name: Span
    var value: Span
  }

  private enum Span {
    case fixed(StaticString)
    case written(Range<Int>)
  }

  private var fields: [Field] = []
  private var bytes: [UInt8] = []

  /// Removes the fields and keeps the memory.
  mutating func removeAll() {
    fields.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func add(_ name: StaticString, _ value: StaticString) {
    fields.append(Field(name: .fixed(name), value: .fixed(value)))
  }

  mutating func add(_ name: StaticString, _ value: String) {
    fields.append(Field(name: .fixed(name), value: write { $0 += value.utf8 }))
  }

  /// Adds the status of a call (github.com/grpc/grpc, doc/statuscodes.md).
  mutating func add(_ status: Status) {
    if status.code == .ok {
      add("grpc-status", "0")
    } else {
      add("grpc-status", String(status.code.rawValue))
    }
    if !status.message.isEmpty {
      fields.append(
        Field(
          name: .fixed("grpc-message"),
          value: write { PercentEncoding.encode(status.message, into: &$0) }))
    }
  }

  /// Adds a handler's metadata, which must have passed ``ReservedMetadata/problem(in:)``.
  mutating func add(_ metadata: Metadata) {
    for (key, value) in metadata {
      let key = key.lowercased()
      if ReservedMetadata.names.contains(key) { continue }
      let name = write { $0 += key.utf8 }
      let value = write { bytes in
        switch value {
        case .string(let text): bytes += text.utf8
        case .binary(let value): BinaryMetadata.encode(value, into: &bytes)
        }
      }
      fields.append(Field(name: name, value: value))
    }
  }

  private mutating func write(_ body: (inout [UInt8]) -> Void) -> Span {
    let start = bytes.count
    body(&bytes)
    return .written(start..<bytes.count)
  }

  /// Calls `body` with the fields, which point into this block and are valid only during the call.
  func withFields<Result>(_ body: (UnsafePointer<nghttp2_nv>, Int) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { bytes in
      // nghttp2's structure has mutable pointers, but it does not write through them (nghttp2.h, nghttp2_nv).
      func pointer(_ span: Span) -> (UnsafeMutablePointer<UInt8>?, Int) {
        switch span {
        case .fixed(let text): (UnsafeMutablePointer(mutating: text.utf8Start), text.utf8CodeUnitCount)
        case .written(let range):
          (UnsafeMutablePointer(mutating: bytes.baseAddress.map { $0 + range.lowerBound }), range.count)
        }
      }
      return withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count) { array in
        for (index, field) in fields.enumerated() {
          var flags = NGHTTP2_NV_FLAG_NONE.rawValue
          if case .fixed = field.name { flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue }
          if case .fixed = field.value { flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue }
          let (name, nameLength) = pointer(field.name)
          let (value, valueLength) = pointer(field.value)
          array.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: name, value: value, namelen: nameLength, valuelen: valueLength, flags: UInt8(flags)))
        }
        return body(UnsafePointer(array.baseAddress!), fields.count)
      }
    }
  }
}
