import Foundation

extension LoadGenerator {
  /// A connection to the server.
  final class Peer {
    private struct Call {
      let start: UInt64
      var hasMessage = false
    }

    private let socket: Int32
    /// The header block: the fields in full first, then as indices.
    private let firstBlock: [UInt8]
    private let block: [UInt8]
    private var nextStream: UInt32 = 1
    private var calls: [UInt32: Call] = [:]
    private var output: [UInt8] = []
    private var input: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 65_536)
    /// The bytes of DATA whose window has not been replenished yet.
    private var received = 0
    private(set) var bytes = 0
    /// How much DATA the server takes: on the connection, on a stream at its beginning, and on an ``upload(_:)``.
    private var window = (connection: 65_535, initial: 65_535, upload: 0)

    init(_ address: String, _ fields: [(String, String)]) throws {
      firstBlock = fields.flatMap { [0x40] + Self.text($0.0) + Self.text($0.1) }
      // The newest entry of the dynamic table has the index 62.
      block = fields.indices.map { UInt8(0x80 | (62 + fields.count - 1 - $0)) }
      let parts = address.split(separator: ":")
      guard parts.count == 2, let port = UInt16(parts[1]) else {
        throw RawDatabase.Failure(description: "\(address) is not an address")
      }
      socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.bigEndian
      name.sin_addr.s_addr = inet_addr(String(parts[0]))
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isConnected = withUnsafePointer(to: &name) { name in
        name.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) } == 0
      }
      var on: Int32 = 1
      setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
      guard isConnected else {
        Glibc.close(socket)
        throw RawDatabase.Failure(description: "cannot connect to \(address)")
      }
      output += Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
      // INITIAL_WINDOW_SIZE and the connection's window are set to their maximum.
      frame(type: 0x4, payload: [0, 4] + Self.word(0x7fff_ffff))
      frame(type: 0x8, payload: Self.word(0x7fff_ffff - 65_535))
    }

    func close() { Glibc.close(socket) }

    var isBusy: Bool { !calls.isEmpty }

    /// Returns the connections that are readable; at least one.
    static func wait(for peers: [Peer]) throws -> [Peer] {
      var waiting = peers.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
      guard poll(&waiting, nfds_t(waiting.count), 60_000) > 0 else {
        throw RawDatabase.Failure(description: "the server did not answer for a minute")
      }
      return zip(peers, waiting).filter { $0.1.revents != 0 }.map(\.0)
    }

    /// Begins a call.
    func send(_ body: [UInt8]) {
      frame(
        type: 0x1, flags: body.isEmpty ? 0x5 : 0x4, stream: nextStream,
        payload: nextStream == 1 ? firstBlock : block)
      if !body.isEmpty { frame(type: 0x0, flags: 0x1, stream: nextStream, payload: body) }
      calls[nextStream] = Call(start: DispatchTime.now().uptimeNanoseconds)
      nextStream += 2
    }

    /// Makes a call with many messages, each in its own DATA frame, and returns at its end. Writes about 16 KiB at a
    /// time, as h2load does.
    ///
    /// - Throws: when the call fails.
    func upload(_ messages: [[UInt8]]) throws {
      frame(type: 0x1, flags: 0x4, stream: nextStream, payload: nextStream == 1 ? firstBlock : block)
      calls[nextStream] = Call(start: DispatchTime.now().uptimeNanoseconds)
      window.upload = window.initial
      var ended: [UInt64?] = []
      for message in messages {
        while ended.isEmpty, min(window.connection, window.upload) < message.count {
          try flush()
          ended += try receive()
        }
        window.connection -= message.count
        window.upload -= message.count
        frame(type: 0x0, stream: nextStream, payload: message)
        if output.count > 16_384 { try flush() }
      }
      frame(type: 0x0, flags: 0x1, stream: nextStream)
      nextStream += 2
      try flush()
      while ended.isEmpty { ended += try receive() }
      guard ended == ended.compactMap(\.self) else {
        throw RawDatabase.Failure(description: "an upload has failed")
      }
    }

    /// Encodes a string without Huffman code, its length as an integer with a prefix of 7 bits (RFC 7541 §5).
    private static func text(_ text: String) -> [UInt8] {
      var length: [UInt8] = []
      var rest = text.utf8.count
      if rest < 127 {
        length = [UInt8(rest)]
      } else {
        length = [127]
        rest -= 127
        while rest >= 128 {
          length.append(UInt8(rest & 127 | 128))
          rest >>= 7
        }
        length.append(UInt8(rest))
      }
      return length + Array(text.utf8)
    }

    private static func word(_ number: UInt32) -> [UInt8] {
      withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    private func frame(type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) {
      // The length takes three bytes; type, flags and stream follow.
      withUnsafeBytes(of: (UInt32(payload.count) << 8 | UInt32(type)).bigEndian) { output += $0 }
      output.append(flags)
      withUnsafeBytes(of: stream.bigEndian) { output += $0 }
      output += payload
    }

    func flush() throws {
      var sent = 0
      while sent < output.count {
        let count = output.withUnsafeBytes { Glibc.write(socket, $0.baseAddress! + sent, $0.count - sent) }
        guard count > 0 else { throw RawDatabase.Failure(description: "nothing could be sent to the server") }
        sent += count
      }
      output.removeAll(keepingCapacity: true)
    }

    /// Reads the available bytes. Returns the latency in nanoseconds of each call that has ended, and nil for a failed
    /// one.
    func receive() throws -> [UInt64?] {
      let count = Glibc.read(socket, &chunk, chunk.count)
      guard count > 0 else { throw RawDatabase.Failure(description: "the server has closed a connection") }
      input += chunk[..<count]
      let now = DispatchTime.now().uptimeNanoseconds
      var ended: [UInt64?] = []
      var start = 0
      while input.count - start >= 9 {
        let length = Int(input[start]) << 16 | Int(input[start + 1]) << 8 | Int(input[start + 2])
        guard input.count - start >= 9 + length else { break }
        let stream = input[start + 5..<start + 9].reduce(0) { $0 << 8 | UInt32($1) }
        let payload = input[start + 9..<start + 9 + length]
        if let call = try note(type: input[start + 3], flags: input[start + 4], stream, payload) {
          ended.append(call.hasMessage ? now - call.start : nil)
        }
        start += 9 + length
      }
      input.removeFirst(start)
      return ended
    }

    /// Records a frame. Returns the call that it ends.
    private func note(
      type: UInt8, flags: UInt8, _ stream: UInt32, _ payload: ArraySlice<UInt8>
    ) throws -> Call? {
      let length = payload.count
      switch type {
      case 0x0:
        if length > 0 { calls[stream]?.hasMessage = true }
        received += length
        bytes += length
        if received > 1 << 29 {
          frame(type: 0x8, payload: Self.word(UInt32(received)))
          received = 0
        }
      case 0x1: break
      case 0x3:
        calls[stream]?.hasMessage = false
        return calls.removeValue(forKey: stream)
      case 0x4:
        if flags & 0x1 == 0 {
          frame(type: 0x4, flags: 0x1)
          try settings(payload)
        }
        return nil
      case 0x7: throw RawDatabase.Failure(description: "the server sent GOAWAY")
      case 0x8:
        if stream == 0 {
          window.connection += Self.number(payload)
        } else {
          window.upload += Self.number(payload)
        }
        return nil
      default: return nil
      }
      return flags & 0x1 == 0 ? nil : calls.removeValue(forKey: stream)
    }

    /// Reads the server's INITIAL_WINDOW_SIZE, which also changes the window of an open stream (RFC 9113 §6.9.2).
    private func settings(_ payload: ArraySlice<UInt8>) throws {
      for start in stride(from: payload.startIndex, to: payload.endIndex - 5, by: 6)
      where payload[start] == 0 && payload[start + 1] == 4 {
        let size = Self.number(payload[start + 2..<start + 6])
        window.upload += size - window.initial
        window.initial = size
      }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
  }
}
