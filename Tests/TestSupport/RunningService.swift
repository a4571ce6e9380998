import Foundation
import Synchronization

/// `user-service serve` as a process of its own, on a port of its own.
public final class RunningService: Sendable {
  /// The line that it prints once it listens.
  public let startLine: String
  /// The port that it listens on.
  public let port: Int

  private let process: Process
  private let errors: ErrorCollector
  private let exit: ExitStatus

  /// Starts the program and returns once it listens.
  ///
  /// - Parameters:
  ///   - port: where it listens; 0 for any free port.
  ///   - auth: whether calls need tokens.
  ///   - file: where its standard error goes; nil to collect it.
  /// - Throws: `NotStarted` with what it wrote to standard error, if it ends instead.
  public init(
    _ arguments: [String], port: Int = 0, auth: Bool = false, environment: [String: String] = [:],
    errorsTo file: String? = nil
  ) async throws {
    let process = Process()
    process.executableURL = Program.url("user-service")
    process.arguments = ["serve", "--listen", "127.0.0.1:\(port)", "--auth", auth ? "on" : "off"] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(Self.patience) { $1 }
      .merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let (output, errorPipe) = (Pipe(), Pipe())
    process.standardOutput = output
    if let file {
      // The collector then has nothing to read, and its pipe ends at once.
      process.standardError = FileHandle(forWritingAtPath: file)
      try errorPipe.fileHandleForWriting.close()
    } else {
      process.standardError = errorPipe
    }
    let exit = ExitStatus()
    process.terminationHandler = { exit.set($0.terminationStatus) }
    try process.run()
    let errors = ErrorCollector(errorPipe)
    let line = await Self.firstLine(output)
    guard let port = line.firstMatch(of: /:(\d+), database/).flatMap({ Int($0.1) }) else {
      throw NotStarted(status: await exit.value, errors: await errors.text)
    }
    (self.process, self.errors, self.exit, startLine, self.port) = (process, errors, exit, line, port)
  }

  /// All tests share the few threads of one process, and on a busy machine a call may wait for more than a
  /// minute between its headers and its message. That the service is less patient is tested from outside.
  private static let patience = ["USER_SERVICE_GRPC_RECEIVE_TIMEOUT": "10m"]

  deinit {
    // A test that failed half-way has not stopped it.
    if process.isRunning { process.terminate() }
  }

  /// The program ended before it listened.
  public struct NotStarted: Error {
    /// Its exit code.
    public let status: Int32
    /// What it wrote to standard error.
    public let errors: String
  }

  /// Sends a signal, such as SIGTERM.
  public func signal(_ number: Int32) {
    kill(process.processIdentifier, number)
  }

  /// Waits for the process to end, and returns its exit code and everything that it wrote to standard error,
  /// but for the warning of a service without authentication.
  public func waitUntilExit() async -> (status: Int32, errors: String) {
    let lines = await errors.text.split(separator: "\n").filter { !$0.contains("AUTHENTICATION IS OFF") }
    return (await exit.value, lines.map { $0 + "\n" }.joined())
  }

  /// Asks the process to stop, and waits until it has.
  @discardableResult
  public func stop() async -> (status: Int32, errors: String) {
    signal(SIGTERM)
    return await waitUntilExit()
  }

  private static func firstLine(_ pipe: Pipe) async -> String {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var line = Data()
        while case let piece = pipe.fileHandleForReading.availableData, !piece.isEmpty {
          line += piece
          if line.contains(UInt8(ascii: "\n")) { break }
        }
        continuation.resume(returning: String(decoding: line, as: UTF8.self))
      }
    }
  }
}

/// A process's exit code, awaited by any number of tasks.
private final class ExitStatus: Sendable {
  private let state = Mutex<(status: Int32?, waiters: [CheckedContinuation<Int32, Never>])>((nil, []))

  func set(_ status: Int32) {
    let waiters = state.withLock { state in
      state.status = status
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(returning: status) }
  }

  var value: Int32 {
    get async {
      await withCheckedContinuation { continuation in
        let status = state.withLock { state -> Int32? in
          if state.status == nil { state.waiters.append(continuation) }
          return state.status
        }
        if let status { continuation.resume(returning: status) }
      }
    }
  }
}

/// Reads a pipe to its end, so that the process never waits for a reader.
private final class ErrorCollector: Sendable {
  private let task: Task<String, Never>

  init(_ pipe: Pipe) {
    let reader = pipe.fileHandleForReading
    task = Task {
      await withCheckedContinuation { continuation in
        Thread.detachNewThread {
          continuation.resume(returning: String(decoding: reader.readDataToEndOfFile(), as: UTF8.self))
        }
      }
    }
  }

  var text: String {
    get async { await task.value }
  }
}
