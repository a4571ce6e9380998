import Foundation

/// A running server, and its use of the processor.
struct BenchServer {
  let address: String
  let process: Process

  /// Prints the address of the server, for the process that started it.
  static func announce(_ address: String) {
    FileHandle.standardOutput.write(Data("\(address)\n".utf8))
  }

  /// Starts `user-service-bench server`.
  init(
    _ transport: BenchServerCommand.Transport, auth: Bool, metrics: Bool = true, inline: Bool = true,
    database: String, keys: String? = nil, loops: Int? = nil
  ) throws {
    let output = Pipe()
    process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments = [
      "server", "--transport", transport.rawValue, "--database", database, "--auth", auth ? "on" : "off",
      "--metrics", metrics ? "on" : "off", "--inline", "\(inline)",
    ]
    if let keys { process.arguments? += ["--keys", keys] }
    if let loops { process.arguments? += ["--loops", "\(loops)"] }
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    address = line.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !address.isEmpty else { throw RawDatabase.Failure(description: "the server did not start") }
  }

  /// The measured program.
  static var program: URL {
    URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("user-service")
  }

  /// Starts `user-service serve` with its defaults, except for the log and, unless `auth`, authentication.
  init(programServing database: String, auth: Bool = false) throws {
    let output = Pipe()
    process = Process()
    process.executableURL = Self.program
    process.arguments = [
      "serve", "--listen", "127.0.0.1:0", "--database", database, "--auth", auth ? "on" : "off",
      "--log-level", "error",
    ]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let match = line.firstMatch(of: /listening on (\S+), database/) else {
      throw RawDatabase.Failure(description: "user-service did not start: \(line)")
    }
    address = String(match.1)
  }

  /// Starts nghttp2's own server with `workers` threads, which serves the files in `folder`.
  init(nghttpdIn folder: URL, workers: Int) throws {
    let port = try LoadGenerator.freePort()
    address = "127.0.0.1:\(port)"
    process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "nghttpd", "--no-tls", "-n", "\(workers)", "-a", "127.0.0.1", "-d", folder.path, "\(port)",
    ]
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    try LoadGenerator.waitUntilServed(address)
  }

  func stop() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// The CPU time of the server, user and system, in seconds. It is exact to the nanosecond; /proc/PID/stat counts
  /// ticks of 10 ms.
  var cpuSeconds: Double {
    get throws {
      var clock = clockid_t()
      var time = timespec()
      guard clock_getcpuclockid(process.processIdentifier, &clock) == 0, clock_gettime(clock, &time) == 0
      else {
        throw RawDatabase.Failure(description: "the server's CPU time cannot be read")
      }
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }
  }

  /// The memory that the server has written and that no file backs (proc(5)). That is its cost for the machine: the
  /// kernel can drop and reload the pages of its program.
  var privateBytes: Double {
    get throws {
      let text = try String(
        contentsOfFile: "/proc/\(process.processIdentifier)/smaps_rollup", encoding: .utf8)
      guard let kibibytes = text.firstMatch(of: /Anonymous:\s+(\d+) kB/).flatMap({ Double($0.1) }) else {
        throw RawDatabase.Failure(description: "/proc/PID/smaps_rollup is not as expected")
      }
      return kibibytes * 1_024
    }
  }

  /// Returns the CPU seconds that the server uses during `work`.
  func cpuSeconds(of work: () throws -> Void) throws -> Double {
    let before = try cpuSeconds
    try work()
    return try cpuSeconds - before
  }
}
