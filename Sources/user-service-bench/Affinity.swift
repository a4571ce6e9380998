import Foundation

/// Binds processes to processors, by `taskset` of util-linux.
///
/// A call at a time takes three times as long if client and server are on different processors, which sleep in between.
/// Where the kernel puts them is chance.
enum Affinity {
  /// Binds this process to the processor `client` and `server` to the processor `other` while `work` runs.
  static func with<Value>(
    client: Int, server: BenchServer, on other: Int, _ work: () throws -> Value
  ) throws -> Value {
    let own = ProcessInfo.processInfo.processIdentifier
    let every = "0-\(ProcessInfo.processInfo.processorCount - 1)"
    defer {
      // What could be bound can be released.
      for process in [own, server.process.processIdentifier] { try? bind(process, to: every) }
    }
    try bind(own, to: "\(client)")
    try bind(server.process.processIdentifier, to: "\(other)")
    return try work()
  }

  /// Binds all threads of a process to a list of processors.
  private static func bind(_ process: Int32, to processors: String) throws {
    let taskset = Process()
    taskset.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    taskset.arguments = ["taskset", "--all-tasks", "--cpu-list", "--pid", processors, "\(process)"]
    taskset.standardOutput = FileHandle.nullDevice
    try taskset.run()
    taskset.waitUntilExit()
    guard taskset.terminationStatus == 0 else {
      throw RawDatabase.Failure(description: "process \(process) cannot be bound to processors \(processors)")
    }
  }
}
