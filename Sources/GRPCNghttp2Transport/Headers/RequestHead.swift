import GRPCCore
import NIOCore

/// A request's header block, collected field by field as it is decoded, and checked when it is complete.
struct RequestHead {
  /// The response to the header block.
  enum Verdict: Equatable {
    case accept(Method)
    /// End the call with this status.
    case fail(CallFault)
    /// Respond in HTTP: this is not a gRPC request.
    case refuse(status: Int, message: String)
    /// Respond with HTTP 400 and a gRPC status, as the protocol requires for malformed fields.
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
  /// The length of the request's DATA in bytes, from `content-length`; nil without the field.
  private(set) var contentLength: Int?
  private var method: Method?
  private var isPost = false
  private var isGRPC = false
  private var unknownEncoding: String?
  private var malformed: String?
  /// Whether a field violates the rules of HTTP/2.
  private var breaksHTTP2 = false
  private var pseudoHeaders: PseudoHeaders = []
  /// Whether a regular field has followed the pseudo-headers.
  private var hasFields = false

  private struct PseudoHeaders: OptionSet {
    let rawValue: UInt8

    static let method = PseudoHeaders(rawValue: 1)
    static let scheme = PseudoHeaders(rawValue: 2)
    static let path = PseudoHeaders(rawValue: 4)
    static let authority = PseudoHeaders(rawValue: 8)
    /// `*` as the path, and the only method that permits it.
    static let asterisk = PseudoHeaders(rawValue: 16)
    static let options = PseudoHeaders(rawValue: 32)
    static let connect = PseudoHeaders(rawValue: 64)
  }

  /// Creates a head that stores its fields in the memory of `fields`, which must be empty.
  init(maxListSize: Int, fields: RequestFields = RequestFields()) {
    self.maxListSize = maxListSize
    self.fields = fields
  }

  /// The request's metadata, created for each access.
  var metadata: Metadata { fields.metadata }

  /// Takes the fields and their memory.
  mutating func takeFields() -> RequestFields { exchange(&fields, with: RequestFields()) }

  private var isTooLarge: Bool { listSize > maxListSize }

  /// Adds a field. Fields beyond the limit are counted and dropped (RFC 9113 §6.5.2).
  ///
  /// nghttp2's own checks are off. They reset the stream for an `:authority` that is empty or a path, and for white
  /// space around a value, which gRPC clients send.
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
      // A repeated field is malformed too (RFC 9110 §8.6).
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
      // Clients of Unix sockets send a path, or an empty value.
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

  /// Whether the complete block makes the request malformed, which is a stream error (RFC 9113 §8.1.1).
  var isMalformed: Bool {
    if breaksHTTP2 { return true }
    // The missing fields may be among the dropped ones.
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
      // Each value is a separate field, and counts as one.
      listSize += 32 * value.count { $0 == UInt8(ascii: ",") }
      guard !isTooLarge else { return }
      guard BinaryMetadata.decode(value) != nil else {
        malformed = "malformed base64 in \(Self.shortened(name))"
        return
      }
    }
    fields.append(name, value)
  }

  /// Returns a name sent by the client, shortened for an error message.
  private static func shortened(_ name: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: name.prefix(64), as: UTF8.self)
  }

  private static func parseLength(_ value: UnsafeBufferPointer<UInt8>) -> Int? {
    // `Int` would accept a sign.
    value.allSatisfy { (0x30...0x39).contains($0) } ? Int(String(decoding: value, as: UTF8.self)) : nil
  }

  /// Whether the content type is gRPC's. Media types are compared without case (RFC 9110 §8.3.1).
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

  /// Returns the response to the complete block.
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
    // No handler can answer within a time-out of zero, but an inline method would.
    if timeout == .zero { return .fail(.deadlinePassed) }
    return .accept(method)
  }
}
