import GRPCCore
import NIOCore

/// A request's header block, taken field by field as it is decoded, and judged when it is complete.
struct RequestHead {
  /// What to do with the request.
  enum Verdict: Equatable {
    case accept(Method)
    /// Answer with this status.
    case fail(RPCError.Code, String)
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
  private var method: Method?
  private var isPost = false
  private var isGRPC = false
  private var unknownEncoding: String?
  private var malformed: String?

  /// A head whose fields come into the memory of `fields`, which are none.
  init(maxListSize: Int, fields: RequestFields = RequestFields()) {
    self.maxListSize = maxListSize
    self.fields = fields
  }

  /// The request's metadata, made anew whenever it is asked for.
  var metadata: Metadata { fields.metadata }

  /// The memory of the fields, which are gone.
  mutating func takeFields() -> RequestFields {
    defer { fields = RequestFields() }
    return fields
  }

  private var isTooLarge: Bool { listSize > maxListSize }

  /// Takes a field. What is beyond the limit is counted and dropped (RFC 9113 §6.5.2).
  mutating func add(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, methods: MethodTable
  ) {
    listSize += name.count + value.count + 32
    guard !isTooLarge, let first = name.first else { return }
    switch first {
    case UInt8(ascii: ":"): addPseudoHeader(name, value, methods)
    case UInt8(ascii: "g") where name.starts(with: "grpc-"): addReserved(name, value)
    case UInt8(ascii: "c") where name.equals("content-type"): isGRPC = Self.isGRPC(contentType: value)
    case UInt8(ascii: "t") where name.equals("te"): break
    default: addMetadata(name, value)
    }
  }

  private mutating func addPseudoHeader(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ methods: MethodTable
  ) {
    if name.equals(":path") {
      method = methods[value]
    } else if name.equals(":method") {
      isPost = value.equals("POST")
      isHead = value.equals("HEAD")
    }
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
      malformed = "\(String(decoding: name, as: UTF8.self)) in a request"
    } else {
      addMetadata(name, value)
    }
  }

  private mutating func addMetadata(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    if name.ends(with: "-bin") {
      // Each value is a field of its own, and counts as one.
      listSize += 32 * value.count { $0 == UInt8(ascii: ",") }
      guard !isTooLarge else { return }
      guard BinaryMetadata.decode(value) != nil else {
        malformed = "malformed base64 in \(String(decoding: name, as: UTF8.self))"
        return
      }
    }
    fields.append(name, value)
  }

  private static func isGRPC(contentType: UnsafeBufferPointer<UInt8>) -> Bool {
    let type: StaticString = "application/grpc"
    guard contentType.starts(with: type) else { return false }
    if contentType.count == type.utf8CodeUnitCount { return true }
    let next = contentType[type.utf8CodeUnitCount]
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  /// The block is complete.
  func verdict() -> Verdict {
    if isTooLarge {
      return .fail(
        .resourceExhausted, "the request's header list is \(listSize) bytes; the limit is \(maxListSize)")
    }
    guard isPost else { return .refuse(status: 405, message: "gRPC requests are POST requests\n") }
    guard isGRPC else {
      return .refuse(status: 415, message: "the content-type of gRPC requests is application/grpc\n")
    }
    if let malformed { return .malformed(malformed) }
    if let unknownEncoding {
      return .fail(.unimplemented, "grpc-encoding is '\(unknownEncoding.prefix(64))', which is not supported")
    }
    guard let method else {
      return .fail(.unimplemented, "there is no such method")
    }
    return .accept(method)
  }
}
