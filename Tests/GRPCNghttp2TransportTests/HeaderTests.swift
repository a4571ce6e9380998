import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct RequestHeadTests {
  private static let methods = MethodTable([
    MethodDescriptor(fullyQualifiedService: "a.B", method: "C", type: .unary)
  ])
  private static let method = "/a.B/C".utf8.withContiguousStorageIfAvailable { methods[$0] }!!
  private static let plain = [
    (":method", "POST"), (":path", "/a.B/C"), ("content-type", "application/grpc"), ("te", "trailers"),
  ]

  private func head(_ fields: [(String, String)], maxListSize: Int = 8_192) -> RequestHead {
    var head = RequestHead(maxListSize: maxListSize)
    for (name, value) in fields {
      Array(name.utf8).withUnsafeBufferPointer { name in
        Array(value.utf8).withUnsafeBufferPointer { value in head.add(name, value, methods: Self.methods) }
      }
    }
    return head
  }

  private func head(_ name: String, _ value: String) -> RequestHead {
    head(Self.plain.filter { $0.0 != name } + [(name, value)])
  }

  @Test("a plain request is accepted, and the transport's own fields are not metadata")
  func plain() {
    #expect(head(Self.plain).verdict() == .accept(Self.method))
    #expect(head(Self.plain).metadata.isEmpty)
  }

  @Test(
    "rule 1: the content-type is application/grpc, optionally with a suffix or parameters",
    arguments: [
      ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc;charset=utf-8", true),
      ("Application/gRPC", true), ("APPLICATION/GRPC+PROTO", true), (" application/grpc\t", true),
      ("application/grpcweb", false), ("application/json", false), ("", false), ("application/grp", false),
    ])
  func contentType(value: String, isGood: Bool) {
    let verdict = head("content-type", value).verdict()
    if isGood {
      #expect(verdict == .accept(Self.method))
    } else {
      guard case .refuse(status: 415, _) = verdict else {
        Issue.record("\(verdict)")
        return
      }
    }
  }

  @Test("rule 2: other methods are answered with 405", arguments: ["GET", "PUT", "HEAD", "post", ""])
  func httpMethod(value: String) {
    guard case .refuse(status: 405, _) = head(":method", value).verdict() else {
      Issue.record("\(head(":method", value).verdict())")
      return
    }
  }

  @Test(
    "rule 3: the path is exact", arguments: ["/a.b/C", "/a.B/c", "/a.B/C/", "a.B/C", "/a.B/D", "/", "", "*"])
  func path(value: String) {
    #expect(head(":path", value).verdict() == .fail(.unknownMethod))
  }

  @Test(
    "rule 4: grpc-timeout",
    arguments: [
      ("1H", TimeAmount.hours(1)), ("2M", .minutes(2)), ("3S", .seconds(3)), ("4m", .milliseconds(4)),
      ("5u", .microseconds(5)), ("6n", .nanoseconds(6)), ("99999999H", .hours(8_760)),
      ("00000001S", .seconds(1)),
    ])
  func timeout(value: String, expected: TimeAmount) {
    #expect(head("grpc-timeout", value).timeout == expected)
    #expect(head("grpc-timeout", value).verdict() == .accept(Self.method))
  }

  @Test(
    "rules 2 and 4: a malformed grpc-timeout is HTTP 400",
    arguments: ["-1S", "1", "S", "1x", "999999999S", "+1S", "1.5S", "", "1 S", "١S"])
  func malformedTimeout(value: String) {
    #expect(head("grpc-timeout", value).verdict() == .malformed("malformed grpc-timeout"))
  }

  @Test("rule 5: binary values, padded or not, one or several")
  func binaryMetadata() {
    for value in ["AAEC,aGVsbG8=", "AAEC, aGVsbG8", "AAEC ,aGVsbG8"] {
      let metadata = head("x-bin", value).metadata
      #expect(Array(metadata[binaryValues: "x-bin"]) == [[0, 1, 2], Array("hello".utf8)])
    }
    #expect(Array(head("x-bin", "").metadata[binaryValues: "x-bin"]) == [[]])
  }

  @Test("rule 2: a malformed binary value is HTTP 400", arguments: ["A", "*", "AAAA=AAA", "AA==A", "a b"])
  func malformedBinary(value: String) {
    #expect(head("x-bin", value).verdict() == .malformed("malformed base64 in x-bin"))
  }

  @Test("metadata keeps repeated keys and their order; unusual ASCII is accepted")
  func metadata() {
    let metadata = head(Self.plain + [("b", "1"), ("a", "~ !\"#"), ("b", "2"), ("user-agent", "x/1")])
      .metadata
    #expect(metadata.map(\.key) == ["b", "a", "b", "user-agent"])
    #expect(Array(metadata[stringValues: "b"]) == ["1", "2"])
    #expect(Array(metadata[stringValues: "a"]) == ["~ !\"#"])
  }

  @Test("a time-out of zero has already passed", arguments: ["0S", "0n", "00000000H"])
  func noTime(value: String) {
    #expect(head("grpc-timeout", value).verdict() == .fail(.deadlinePassed))
  }

  @Test("white space around a value is not part of it")
  func outerSpace() {
    let metadata = head(Self.plain + [("a", " \tx y\t "), ("b", " "), ("grpc-timeout", " 1S ")])
    #expect(Array(metadata.metadata[stringValues: "a"]) == ["x y"])
    #expect(Array(metadata.metadata[stringValues: "b"]) == [""])
    #expect(metadata.timeout == .seconds(1))
  }

  private func breaksRules(_ fields: [(String, String)]) -> Bool { head(fields).isMalformed }

  /// Returns whether a request is malformed if `fields` are added to a plain header block, replacing fields of the
  /// same name.
  private func isMalformed(_ fields: [(String, String)]) -> Bool {
    let whole = [(":scheme", "http"), (":authority", "")] + Self.plain
    let replaced = Set(fields.map(\.0))
    let kept = whole.filter { !replaced.contains($0.0) }
    let pseudo = kept.filter { $0.0.hasPrefix(":") } + fields.filter { $0.0.hasPrefix(":") }
    return head(pseudo + kept.filter { !$0.0.hasPrefix(":") } + fields.filter { !$0.0.hasPrefix(":") })
      .isMalformed
  }

  @Test(
    "rule 24: a field that HTTP/2 forbids makes the request malformed",
    arguments: [
      ("connection", "close"), ("te", "gzip"), ("Upper", "x"), ("a b", "x"), ("a:b", "x"), ("", "x"),
      ("é", "x"),
      ("x", "a\0b"), ("x", "a\nb"), ("x", "12345678\r"), ("content-length", "1x"), ("content-length", "+1"),
      (":path", ""), (":path", "*"), (":path", "a"), (":path", "/ "), (":method", ""), (":method", "A B"),
      (":scheme", ""), (":scheme", "1"), (":authority", "a b"), (":unknown", "x"), (":status", "200"),
    ])
  func forbidden(name: String, value: String) {
    #expect(isMalformed([(name, value)]))
  }

  @Test(
    "a field that HTTP/2 permits does not make the request malformed",
    arguments: [
      ("x", "a\tb"), ("x", "é"), ("x", "a\u{1}"), ("x!y", "z"), ("x(y", "z"), ("te", "TRAILERS"),
      ("content-length", "7"), (":authority", "/run/x.sock"), (":scheme", "https"), (":path", "/x?y"),
      (":method", "GET"),
    ])
  func permitted(name: String, value: String) {
    #expect(!isMalformed([(name, value)]))
  }

  @Test("rule 24: pseudo-headers occur once, before the other fields, and three are required")
  func pseudoHeaders() {
    #expect(isMalformed([(":path", "/a"), (":path", "/a")]))
    #expect(breaksRules([(":method", "POST"), ("x", "y"), (":scheme", "http"), (":path", "/a.B/C")]))
    for missing in [":method", ":scheme", ":path"] {
      let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/a.B/C")].filter { $0.0 != missing }
      #expect(breaksRules(fields))
    }
    #expect(!breaksRules([(":method", "CONNECT"), (":authority", "a:1")]))
    #expect(breaksRules([(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")]))
    #expect(!breaksRules([(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")]))
  }

  @Test("reserved names are refused", arguments: ["grpc-status", "grpc-message"])
  func reserved(name: String) {
    #expect(head(name, "0").verdict() == .malformed("\(name) in a request"))
  }

  @Test("rule 6: fields over the limit are counted and dropped, and the request is refused")
  func tooLarge() {
    let large = head(Self.plain + [("x", String(repeating: "y", count: 2_000))], maxListSize: 1_000)
    guard case .fail(let fault) = large.verdict(), fault.code == .resourceExhausted else {
      Issue.record("\(large.verdict())")
      return
    }
    #expect(large.metadata.isEmpty)
  }

  @Test("rule 6: each of a binary field's values counts as a field")
  func manyValues() {
    let verdict = head("x-bin", String(repeating: ",", count: 300)).verdict()
    guard case .fail(let fault) = verdict, fault.code == .resourceExhausted else {
      Issue.record("\(verdict)")
      return
    }
  }

  @Test("rule 12: an unknown encoding is UNIMPLEMENTED")
  func encodings() {
    #expect(head("grpc-encoding", "gzip").encoding == .gzip)
    #expect(head("grpc-encoding", "identity").verdict() == .accept(Self.method))
    guard case .fail(let fault) = head("grpc-encoding", "br").verdict(), fault.code == .unimplemented else {
      Issue.record("\(head("grpc-encoding", "br").verdict())")
      return
    }
    let accepted = head("grpc-accept-encoding", "identity, gzip,br").acceptedEncodings
    #expect(accepted.contains(.gzip) && accepted.contains(.identity) && !accepted.contains(.deflate))
  }
}

@Suite struct ResponseHeaderTests {
  @Test(
    "rule 14: messages are percent-encoded outside of %x20-7E",
    arguments: [
      ("plain text ~", "plain text ~"), ("50%", "50%25"), ("a\nb\u{7f}", "a%0Ab%7F"), ("é", "%C3%A9"),
      ("☺", "%E2%98%BA"),
    ])
  func percentEncoding(message: String, expected: String) {
    var output: [UInt8] = []
    PercentEncoding.encode(message, into: &output)
    #expect(String(decoding: output, as: UTF8.self) == expected)
  }

  @Test("rule 5: binary values are sent without padding")
  func binary() {
    var output: [UInt8] = []
    BinaryMetadata.encode([0], into: &output)
    #expect(String(decoding: output, as: UTF8.self) == "AA")
  }

  @Test("a handler's metadata must not use reserved names, or text that HTTP/2 forbids")
  func reserved() {
    for good: Metadata in [
      ["a": "b"], ["A-b_c.9": "~"], ["grpc-status-details-bin": .binary([1])], ["grpc-encoding": "gzip"], [:],
    ] {
      #expect(ReservedMetadata.problem(in: good) == nil)
    }
    for bad: Metadata in [
      ["grpc-status": "0"], ["Grpc-Message": "x"], ["content-type": "x"], [":status": "200"], ["te": "x"],
      ["connection": "close"], ["": "x"], ["a b": "x"], ["a": "é"], ["a": "x\r\ny"],
    ] {
      #expect(ReservedMetadata.problem(in: bad) != nil)
    }
  }
}
