import GRPCCore

/// A method of the server.
final class Method: Sendable {
  let descriptor: MethodDescriptor
  /// Whether requests may have any number of messages.
  let takesManyMessages: Bool
  /// Whether a request has one message and the response any number. Such a handler, once started, writes as long as
  /// there is room.
  let isServerStreaming: Bool
  /// Whether requests and responses may both have any number of messages.
  let answersEachMessage: Bool
  /// The largest request message, in inflated bytes.
  let maxReceiveMessageSize: Int
  /// The inline method that answers calls, if any.
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

/// The server's methods by path, `/package.Service/Method`, exact and case-sensitive.
struct MethodTable: Sendable {
  private struct Entry {
    let path: [UInt8]
    let method: Method
  }

  /// Buckets by hash, at least twice as many as methods, so that most hold at most one.
  private var buckets: [[Entry]]
  /// The largest request message of all methods, in bytes.
  private(set) var largestMessage = 0

  /// - Parameters:
  /// - limits: the largest request message by method, in bytes. `maximum` applies to other methods, and bounds every
  ///   limit.
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

  /// FNV-1a. Collisions depend only on the server's own paths, which a client cannot choose.
  private func bucket(of path: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(truncatingIfNeeded: hash) & (buckets.count - 1)
  }
}
