import NIOCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct FrameScannerTests {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private static let session: [UInt8] =
    preface + [
      0, 0, 0, 4, 0, 0, 0, 0, 0,  // SETTINGS
      0, 0, 4, 8, 0, 0, 0, 0, 1, 0x80, 0, 1, 0,  // WINDOW_UPDATE of 256, reserved bit set
      0, 0, 5, 2, 0, 0, 0, 0, 3, 0x80, 0, 0, 1, 16,  // PRIORITY with an exclusive dependency on 1
      0, 0, 3, 0, 9, 0x80, 0, 0, 5, 2, 0, 0,  // padded DATA that ends the stream
      0, 0, 0, 0, 8, 0, 0, 0, 5,  // padded DATA without its padding length
      0, 1, 0, 1, 4, 0x7f, 0xff, 0xff, 0xff,  // HEADERS
    ] + Array(repeating: 0, count: 256)

  private static let frames = [
    FrameScanner.Frame(length: 0, type: 4, flags: 0, streamID: 0),
    .init(length: 4, type: 8, flags: 0, streamID: 1, detail: 256),
    .init(length: 5, type: 2, flags: 0, streamID: 3, detail: 1),
    .init(length: 3, type: 0, flags: 9, streamID: 5, detail: 2),
    .init(length: 0, type: 0, flags: 8, streamID: 5),
    .init(length: 256, type: 1, flags: 4, streamID: 0x7fff_ffff),
  ]

  @Test("frames are found in pieces of any size", arguments: [1, 2, 3, 5, 9, 13, 24, 100, 1_000])
  func pieces(size: Int) {
    var scanner = FrameScanner()
    var frames: [FrameScanner.Frame] = []
    for start in stride(from: 0, to: Self.session.count, by: size) {
      Self.session[start..<min(start + size, Self.session.count)].withUnsafeBytes { bytes in
        var rest = bytes[...]
        while let frame = scanner.next(in: &rest) { frames.append(frame) }
      }
    }
    #expect(frames == Self.frames)
    #expect(!scanner.isMidFrame)
  }

  @Test("a frame is incomplete from the first byte of its header to the last of its payload")
  func midFrame() {
    var scanner = FrameScanner()
    let ends: Set = [24, 33, 46, 60, 72, 81, 346]
    for (index, byte) in Self.session.enumerated() {
      withUnsafeBytes(of: byte) { bytes in
        var rest = bytes[...]
        while scanner.next(in: &rest) != nil {}
      }
      #expect(scanner.isMidFrame == !ends.contains(index + 1), "after \(index + 1) bytes")
    }
  }
}

@Suite struct ClientStreamsTests {
  private func violations(_ steps: (inout ClientStreams) -> [ClientStreams.Violation?]) -> [ClientStreams
    .Violation?]
  {
    var streams = ClientStreams()
    return steps(&streams)
  }

  @Test("streams are opened in order, accept DATA and trailers, and end")
  func inOrder() {
    let found = violations { streams in
      [
        streams.headersReceived(1, endsStream: false), streams.dataReceived(1, endsStream: false),
        streams.headersReceived(3, endsStream: true), streams.headersReceived(1, endsStream: true),
        streams.headersReceived(5, endsStream: false), streams.dataReceived(5, endsStream: true),
      ]
    }
    #expect(found.allSatisfy { $0 == nil })
  }

  @Test("rule 24: a skipped stream must not be opened")
  func passedOver() {
    let found = violations { streams in
      [streams.headersReceived(5, endsStream: true), streams.headersReceived(3, endsStream: true)]
    }
    #expect(found == [nil, .passedOver])
  }

  @Test("a stream that the client has closed accepts no frames, one that the server has closed may")
  func ended() {
    let found = violations { streams in
      _ = streams.headersReceived(1, endsStream: true)
      _ = streams.headersReceived(3, endsStream: false)
      streams.resetReceived(3)
      _ = streams.headersReceived(5, endsStream: false)
      return [
        streams.dataReceived(1, endsStream: false), streams.headersReceived(1, endsStream: true),
        streams.dataReceived(3, endsStream: false), streams.dataReceived(5, endsStream: false),
      ]
    }
    #expect(found == [.ended, .ended, .ended, nil])
  }
}
