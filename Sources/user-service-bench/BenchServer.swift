import Foundation

/// A running `user-service-bench server`, and what it has used of the processor.
struct BenchServer {
  let address: String
  private let process: Process

  /// Says where the server listens, to the process that started it.
  static func announce(_ address: String) {
    FileHandle.standardOutput.write(Data("\(address)\n".utf8))
  }

  init(_ transport: BenchServerCommand.Transport, auth: Bool, database: String) throws {
    let output = Pipe()
    process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments = [
      "server", "--transport", transport.rawValue, "--database", database, "--auth", auth ? "on" : "off",
    ]
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    address = line.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !address.isEmpty else { throw RawDatabase.Failure(description: "the server did not start") }
  }

  func stop() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// CPU time of the server, user and system, in seconds: fields 14 and 15 of /proc/PID/stat (proc(5)).
  var cpuSeconds: Double {
    get throws {
      let text = try String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)
      // The second field, the program's name, ends with the last parenthesis.
      let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
      guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
        throw RawDatabase.Failure(description: "/proc/PID/stat is not as expected")
      }
      return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
  }
}
