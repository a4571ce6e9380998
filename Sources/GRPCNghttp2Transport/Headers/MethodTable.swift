import GRPCCore

/// A method of the server.
final class Method: Sendable {
  let descriptor: MethodDescriptor
  /// Whether its requests may have any number of messages.
  let takesManyMessages: Bool
  /// Answers its calls without a task, if it can.
  let inline: InlineMethod.Answer?

  init(_ descriptor: MethodDescriptor, inline: InlineMethod.Answer? = nil) {
    self.descriptor = descriptor
    takesManyMessages = descriptor.type?.isRequestStreaming ?? true
    self.inline = takesManyMessages ? nil : inline
  }
}

extension Method: Equatable {
  static func == (left: Method, right: Method) -> Bool { left === right }
}

/// The server's methods by their paths, `/package.Service/Method`, exact and case-sensitive.
struct MethodTable: Sendable {
  private struct Entry {
    let path: [UInt8]
    let method: Method
  }

  /// By hash, at least twice as many as methods, so that most have one or none.
  private var buckets: [[Entry]]

  init(_ methods: [MethodDescriptor], inline: [InlineMethod] = []) {
    let size = 1 << (Int.bitWidth - (2 * methods.count).leadingZeroBitCount)
    buckets = Array(repeating: [], count: size)
    for descriptor in methods {
      let path = Array("/\(descriptor.fullyQualifiedMethod)".utf8)
      let method = Method(
        descriptor, inline: inline.first { $0.method == descriptor.fullyQualifiedMethod }?.answer)
      path.withUnsafeBufferPointer { buckets[bucket(of: $0)].append(Entry(path: path, method: method)) }
    }
  }

  subscript(path: UnsafeBufferPointer<UInt8>) -> Method? {
    for entry in buckets[bucket(of: path)] where path.equals(entry.path) { return entry.method }
    return nil
  }

  /// FNV-1a: it is our own paths that share a bucket or do not, whatever a client asks for.
  private func bucket(of path: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(truncatingIfNeeded: hash) & (buckets.count - 1)
  }
}
