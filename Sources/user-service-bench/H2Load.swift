import Foundation
import SwiftProtobuf

/// Makes calls with h2load (nghttp2.org/documentation).
struct H2Load {
  let server: BenchServer
  /// The folder of the request bodies.
  let folder: URL
  var token: String?
  var connections = 1
  var streams = 1

  /// Sends `requests` calls whose body is the length-prefixed `messages`.
  ///
  /// - Throws: when a call fails.
  func run(_ method: String, _ messages: [some SwiftProtobuf.Message], requests: Int) throws {
    let run = try start(method, messages, requests: requests)
    try run.finish()
  }

  /// Starts the same calls, to be finished later.
  func start(_ method: String, _ messages: [some SwiftProtobuf.Message], requests: Int) throws -> Running {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "h2load", "-n", "\(requests)", "-c", "\(min(connections, requests))", "-m", "\(streams)",
      "-d", try body(messages), "-H", "content-type: application/grpc", "-H", "te: trailers",
    ]
    if let token { process.arguments?.append(contentsOf: ["-H", "authorization: Bearer \(token)"]) }
    process.arguments?.append("http://\(server.address)/user.v1.UserService/\(method)")
    process.standardOutput = output
    try process.run()
    return Running(process: process, output: output, requests: requests)
  }

  struct Running {
    let process: Process
    fileprivate let output: Pipe
    fileprivate let requests: Int

    func finish() throws {
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      // A call that fails in gRPC succeeds in HTTP, but has no message; a user takes more than 50 bytes.
      guard process.terminationStatus == 0, text.contains(" \(requests) succeeded, 0 failed"),
        let data = text.firstMatch(of: /\((\d+)\) data/).flatMap({ Int($0.1) }), data > 50 * requests
      else {
        throw RawDatabase.Failure(description: "h2load: \(text)")
      }
    }
  }

  private func body(_ messages: [some SwiftProtobuf.Message]) throws -> String {
    let file = folder.appendingPathComponent(UUID().uuidString + ".body")
    try Data(try messages.flatMap { try $0.framed() }).write(to: file)
    return file.path
  }
}

extension SwiftProtobuf.Message {
  /// Returns the message with gRPC's prefix.
  func framed() throws -> [UInt8] {
    let bytes: [UInt8] = try serializedBytes()
    return [0] + withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes
  }
}
