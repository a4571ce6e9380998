import GRPCCore
import NIOCore

/// A request's header block, taken field by field as it is decoded, and judged when it is complete.
struct RequestHead {
  /// What to do with the request.
  enum Verdict: Equatable {
    case accept(Method)
    /// Answer with this status.
    case fail(CallFault)
    /// Answer in HTTP: this is no gRPC request.
    case refuse(status: Int, message: String)
    /// Answer with HTTP 400 and a gRPC status, as the protocol wants it of malformed fields.
    case malformed(String)
  }

  private let maxListSize: Int
  private(set) var listSize = 0
  private(set) var fields: RequestFields
  private(set) var timeout: TimeAmount?
  private(set) var acceptedEncodings: MessageEncodings = []
  /// The encoding of the messages.
  private(set) var encoding = MessageEncoding.identity
  private(set) var isHead = false
  /// How many bytes the request's DATA has, as `content-length` says; nil if it says nothing.
  private(set) var contentLength: Int?
  private var method: Method?
  private var isPost = false
  private var isGRPC = false
  private var unknownEncoding: String?
  private var malformed: String?
  /// Whether a field breaks the rules of HTTP/2.
  private var breaksHTTP2 = false
  private var pseudoHeaders: PseudoHeaders = []
  /// Whether the pseudo-headers are over.
  private var hasFields = false

  private struct PseudoHeaders: OptionSet {
    let rawValue: UInt8

    static let method = PseudoHeaders(rawValue: 1)
    static let scheme = PseudoHeaders(rawValue: 2)
    static let path = PseudoHeaders(rawValue: 4)
    static let authority = PseudoHeaders(rawValue: 8)
    /// `*` as the path, and the only method with which it goes.
    static let asterisk = PseudoHeaders(rawValue: 16)
    static let options = PseudoHeaders(rawValue: 32)
    static let connect = PseudoHeaders(rawValue: 64)
  }

  /// A head whose fields come into the memory of `fields`, which are none.
  init(maxListSize: Int, fields: RequestFields = RequestFields()) {
    self.maxListSize = maxListSize
    self.fields = fields
  }

  /// The request's metadata, made anew whenever it is asked for.
  var metadata: Metadata { fields.metadata }

  /// The memory of the fields, which are gone.
  mutating func takeFields() -> RequestFields { exchange(&fields, with: RequestFields()) }

  private var isTooLarge: Bool { listSize > maxListSize }

  /// Takes a field. What is beyond the limit is counted and dropped (RFC 9113 §6.5.2).
  ///
  /// nghttp2 does not judge it: it resets the stream for an `:authority` that is empty or a path, and for white
  /// space around a value, which clients of gRPC send.
  mutating func add(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, methods: MethodTable
  ) {
    listSize += name.count + value.count + 32
    guard !isTooLarge else { return }
    if name.first == UInt8(ascii: ":") { return addPseudoHeader(name, value, methods) }
    hasFields = true
    let value = FieldRules.stripped(value)
    switch FieldRules.judge(value: value) {
    case .valid: addField(name, value)
    case .malformed: breaksHTTP2 = true
    case .refused: malformed = "control characters in \(Self.shortened(name))"
    }
  }

  private mutating func addField(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    switch name.first {
    case UInt8(ascii: "g") where name.starts(with: "grpc-"): addReserved(name, value)
    case UInt8(ascii: "c") where name.equals("content-type"): isGRPC = Self.isGRPC(contentType: value)
    case UInt8(ascii: "c") where name.equals("content-length"):
      // A field that comes twice is malformed too (RFC 9110 §8.6).
      if contentLength != nil { breaksHTTP2 = true }
      contentLength = Self.parseLength(value)
      if contentLength == nil { breaksHTTP2 = true }
      addMetadata(name, value)
    case UInt8(ascii: "t") where name.equals("te"):
      if !value.equalsIgnoringCase("trailers") { breaksHTTP2 = true }
    default:
      if FieldRules.isConnectionSpecific(name) { breaksHTTP2 = true }
      addMetadata(name, value)
    }
  }

  private mutating func addPseudoHeader(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ methods: MethodTable
  ) {
    let isValid: Bool
    let header: PseudoHeaders
    if name.equals(":path") {
      header = .path
      method = methods[value]
      isValid = method != nil || isPath(value)
    } else if name.equals(":method") {
      header = .method
      isPost = value.equals("POST")
      isHead = value.equals("HEAD")
      if value.equals("OPTIONS") { pseudoHeaders.insert(.options) }
      if value.equals("CONNECT") { pseudoHeaders.insert(.connect) }
      isValid = isPost || FieldRules.isMethod(value)
    } else if name.equals(":scheme") {
      header = .scheme
      isValid = value.equals("http") || FieldRules.isScheme(value)
    } else if name.equals(":authority") {
      header = .authority
      // Clients of Unix sockets send a path, or nothing.
      isValid = FieldRules.isVisible(value)
    } else {
      breaksHTTP2 = true
      return
    }
    if !isValid || hasFields || !pseudoHeaders.insert(header).inserted { breaksHTTP2 = true }
  }

  private mutating func isPath(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    if value.equals("*") {
      pseudoHeaders.insert(.asterisk)
      return true
    }
    return value.first == UInt8(ascii: "/") && FieldRules.isVisible(value)
  }

  /// Whether the complete block makes the request malformed, a stream error (RFC 9113 §8.1.1).
  var isMalformed: Bool {
    if breaksHTTP2 { return true }
    // What has been dropped may be one of those that are missing.
    if isTooLarge { return false }
    if pseudoHeaders.contains(.connect) {
      // RFC 9113 §8.5.
      return !pseudoHeaders.contains(.authority) || !pseudoHeaders.isDisjoint(with: [.path, .scheme])
    }
    if !pseudoHeaders.isSuperset(of: [.method, .scheme, .path]) { return true }
    return pseudoHeaders.contains(.asterisk) && !pseudoHeaders.contains(.options)
  }

  private mutating func addReserved(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    if name.equals("grpc-timeout") {
      timeout = RequestTimeout.parse(value)
      if timeout == nil { malformed = "malformed grpc-timeout" }
    } else if name.equals("grpc-encoding") {
      let name = String(decoding: value, as: UTF8.self)
      if let known = MessageEncoding(rawValue: name) { encoding = known } else { unknownEncoding = name }
    } else if name.equals("grpc-accept-encoding") {
      acceptedEncodings.formUnion(MessageEncodings(header: value))
    } else if name.equals("grpc-status") || name.equals("grpc-message") {
      malformed = "\(Self.shortened(name)) in a request"
    } else {
      addMetadata(name, value)
    }
  }

  private mutating func addMetadata(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    switch FieldRules.judge(name: name) {
    case .valid: break
    case .malformed:
      breaksHTTP2 = true
      return
    case .refused:
      malformed = "'\(Self.shortened(name))' is not the name of a field"
      return
    }
    if name.ends(with: "-bin") {
      // Each value is a field of its own, and counts as one.
      listSize += 32 * value.count { $0 == UInt8(ascii: ",") }
      guard !isTooLarge else { return }
      guard BinaryMetadata.decode(value) != nil else {
        malformed = "malformed base64 in \(Self.shortened(name))"
        return
      }
    }
    fields.append(name, value)
  }

  /// A name of the client's for a message, which is to stay short.
  private static func shortened(_ name: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: name.prefix(64), as: UTF8.self)
  }

  private static func parseLength(_ value: UnsafeBufferPointer<UInt8>) -> Int? {
    // `Int` would take a sign.
    value.allSatisfy { (0x30...0x39).contains($0) } ? Int(String(decoding: value, as: UTF8.self)) : nil
  }

  /// Media types are compared without case (RFC 9110 §8.3.1).
  private static func isGRPC(contentType: UnsafeBufferPointer<UInt8>) -> Bool {
    let type: StaticString = "application/grpc"
    let length = type.utf8CodeUnitCount
    guard contentType.count >= length,
      UnsafeBufferPointer(rebasing: contentType[..<length]).equalsIgnoringCase(type)
    else { return false }
    if contentType.count == length { return true }
    let next = contentType[length]
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  /// The block is complete.
  func verdict() -> Verdict {
    if isTooLarge {
      return .fail(
        .malformed(
          .resourceExhausted, "the request's header list is \(listSize) bytes; the limit is \(maxListSize)"))
    }
    guard isPost else { return .refuse(status: 405, message: "gRPC requests are POST requests\n") }
    guard isGRPC else {
      return .refuse(status: 415, message: "the content-type of gRPC requests is application/grpc\n")
    }
    if let malformed { return .malformed(malformed) }
    if let unknownEncoding {
      return .fail(
        .malformed(
          .unimplemented, "grpc-encoding is '\(unknownEncoding.prefix(64))', which is not supported"))
    }
    guard let method else {
      return .fail(.unknownMethod)
    }
    // Nothing of the call can be done in no time; an inline method would do it all the same.
    if timeout == .zero { return .fail(.deadlinePassed) }
    return .accept(method)
  }
}
