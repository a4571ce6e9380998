import Foundation
import TestSupport

/// `interop-server` as a process of its own, on a port of its own.
final class InteropServerProcess: Sendable {
  let port: Int
  private let process: Process

  init(_ arguments: [String]) async throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = Program.url("interop-server")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    try process.run()
    // One short line; the program ends, and with it the pipe, if it cannot listen.
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let port = line.firstMatch(of: /:(\d+)/).flatMap({ Int($0.1) }) else { throw NotStarted() }
    self.process = process
    self.port = port
  }

  struct NotStarted: Error {}

  func stop() {
    process.terminate()
    process.waitUntilExit()
  }
}

/// A self-signed certificate for the loopback address, and its key, made by the openssl command.
struct TestCertificate {
  let certificate: String
  let key: String

  init(in directory: TemporaryDirectory, name: String = "server") throws {
    certificate = directory.path("\(name).pem")
    key = directory.path("\(name).key")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-days", "2",
      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
      "-out",
      certificate,
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw NotMade() }
  }

  struct NotMade: Error {}
}
