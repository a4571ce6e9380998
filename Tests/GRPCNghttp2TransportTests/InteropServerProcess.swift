import Foundation
import TestSupport
import Testing

/// Runs `interop-server` as a process on a free port.
final class InteropServerProcess: Sendable {
  let port: Int
  private let process: ChildProcess

  init(_ arguments: [String]) async throws {
    process = try ChildProcess("interop-server", arguments)
    guard let port = await process.output(ofLines: 1).firstMatch(of: /:(\d+)/).flatMap({ Int($0.1) }) else {
      throw NotStarted(errors: await process.errors)
    }
    self.port = port
  }

  struct NotStarted: Error {
    let errors: String
  }

  /// Stops the server. What a sanitizer has reported in it fails the test.
  func stop() async {
    process.signal(SIGTERM)
    _ = await process.waitUntilExit()
    let errors = await process.errors
    #expect(!errors.contains("Sanitizer"), "\(errors)")
  }
}

/// A self-signed certificate for the loopback address and its key, created by the openssl command.
struct TestCertificate {
  let certificate: String
  let key: String

  init(in directory: TemporaryDirectory, name: String = "server") async throws {
    certificate = directory.path("\(name).pem")
    key = directory.path("\(name).key")
    let openssl = try ChildProcess(
      URL(fileURLWithPath: "/usr/bin/env"),
      [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", key, "-out", certificate,
      ])
    guard await openssl.waitUntilExit().status == 0 else { throw NotMade(errors: await openssl.errors) }
  }

  struct NotMade: Error {
    let errors: String
  }
}
