import GRPCCore

/// A method of the server.
final class Method: Sendable {
  let descriptor: MethodDescriptor
  /// Whether its requests may have any number of messages.
  let takesManyMessages: Bool
  /// Whether its responses may have any number of messages, and its requests have one: once it has begun it writes
  /// for as long as there is room.
  let isServerStreaming: Bool
  /// Whether requests and responses may both have any number of messages.
  let answersEachMessage: Bool
  /// Bytes of the largest message of a request, inflated.
  let maxReceiveMessageSize: Int
  /// Answers its calls without a task, if it can.
  let inline: InlineMethod.Answer?

  init(_ descriptor: MethodDescriptor, maxReceiveMessageSize: Int = .max, inline: InlineMethod.Answer? = nil)
  {
    self.descriptor = descriptor
    takesManyMessages = descriptor.type?.isRequestStreaming ?? true
    isServerStreaming = !takesManyMessages && descriptor.type?.isResponseStreaming ?? true
    answersEachMessage = takesManyMessages && descriptor.type?.isResponseStreaming ?? true
    self.maxReceiveMessageSize = maxReceiveMessageSize
    self.inline = inline
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
  /// Bytes of the largest message that any method takes.
  private(set) var largestMessage = 0

  /// - Parameters:
  ///   - limits: bytes of the largest message of a request, by method; of a method without one it is `maximum`, which
  ///     none exceeds.
  init(
    _ methods: [MethodDescriptor], limits: [MethodDescriptor: Int] = [:], maximum: Int = .max,
    inline: [InlineMethod] = []
  ) {
    let limits = Dictionary(limits.map { ($0.fullyQualifiedMethod, $1) }, uniquingKeysWith: min)
    let size = 1 << (Int.bitWidth - (2 * methods.count).leadingZeroBitCount)
    buckets = Array(repeating: [], count: size)
    for descriptor in methods {
      let path = Array("/\(descriptor.fullyQualifiedMethod)".utf8)
      let method = Method(
        descriptor, maxReceiveMessageSize: min(limits[descriptor.fullyQualifiedMethod] ?? maximum, maximum),
        inline: inline.first { $0.method == descriptor.fullyQualifiedMethod }?.answer)
      largestMessage = max(largestMessage, method.maxReceiveMessageSize)
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
