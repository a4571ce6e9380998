public import Foundation
import Synchronization

/// A process that a test starts. All its output is read, so that it never waits for a reader.
public final class ChildProcess: Sendable {
  private let process: Process
  private let outputs: (standard: Output, errors: Output)
  private let exit = ExitStatus()

  /// Starts the executable `program`.
  ///
  /// - Parameters:
  ///   - environment: variables added to the environment of the tests, or replacing them.
  ///   - file: the file for its standard error; nil to collect it.
  ///   - input: its standard input; nil for an empty one.
  public init(
    _ program: URL, _ arguments: [String], environment: [String: String] = [:], errorsTo file: String? = nil,
    input: Pipe? = nil
  ) throws {
    process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = input ?? FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = try file.map { try FileHandle(forWritingTo: URL(fileURLWithPath: $0)) } ?? errors
    process.terminationHandler = { [exit] process in
      exit.set(
        Exit(status: process.terminationStatus, isSignal: process.terminationReason == .uncaughtSignal))
    }
    try process.run()
    // The errors go to a file, so the pipe stays empty: closing it ends it.
    if file != nil { try errors.fileHandleForWriting.close() }
    outputs = (Output(output.fileHandleForReading), Output(errors.fileHandleForReading))
  }

  /// Starts the program `name` of this package, which is built beside the tests.
  public convenience init(
    _ name: String, _ arguments: [String], environment: [String: String] = [:], errorsTo file: String? = nil
  ) throws {
    let tests = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    try self.init(
      tests.deletingLastPathComponent().appendingPathComponent(name), arguments, environment: environment,
      errorsTo: file)
  }

  deinit {
    // A test that failed half-way has not stopped the process.
    if process.isRunning { process.terminate() }
  }

  /// The end of a process.
  public struct Exit: Hashable, Sendable {
    /// Its exit code, or the signal that ended it.
    public let status: Int32
    public let isSignal: Bool
  }

  /// Sends a signal, such as SIGTERM.
  public func signal(_ number: Int32) {
    kill(process.processIdentifier, number)
  }

  /// Returns standard output once it has `count` lines, or all of it once the process has ended.
  public func output(ofLines count: Int) async -> String { await outputs.standard.text(ofLines: count) }

  /// The complete standard output, once the process has ended.
  public var output: String {
    get async { await outputs.standard.text(ofLines: .max) }
  }

  /// The complete standard error, once the process has ended.
  public var errors: String {
    get async { await outputs.errors.text(ofLines: .max) }
  }

  /// Returns how the process ended, once it has.
  public func waitUntilExit() async -> Exit { await exit.value }
}

/// The end of a process, awaited by any number of tasks.
private final class ExitStatus: Sendable {
  private let state = Mutex<
    (exit: ChildProcess.Exit?, waiters: [CheckedContinuation<ChildProcess.Exit, Never>])
  >(
    (nil, []))

  func set(_ exit: ChildProcess.Exit) {
    let waiters = state.withLock { state in
      state.exit = exit
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(returning: exit) }
  }

  var value: ChildProcess.Exit {
    get async {
      await withCheckedContinuation { continuation in
        let exit = state.withLock { state -> ChildProcess.Exit? in
          if state.exit == nil { state.waiters.append(continuation) }
          return state.exit
        }
        if let exit { continuation.resume(returning: exit) }
      }
    }
  }
}

/// The output of a pipe, read by its own thread.
private final class Output: Sendable {
  private struct State {
    var data = Data()
    var lines = 0
    var hasEnded = false
    var waiters: [(lines: Int, continuation: CheckedContinuation<String, Never>)] = []

    var text: String { String(decoding: data, as: UTF8.self) }

    /// Removes the waiters whose lines are available.
    mutating func takeServed() -> [CheckedContinuation<String, Never>] {
      let isServed = {
        [lines, hasEnded] (waiter: (lines: Int, continuation: CheckedContinuation<String, Never>)) in
        hasEnded || waiter.lines <= lines
      }
      defer { waiters.removeAll(where: isServed) }
      return waiters.filter(isServed).map(\.continuation)
    }
  }

  private let state = Mutex(State())

  init(_ handle: FileHandle) {
    Thread.detachNewThread { [self] in
      while case let piece = handle.availableData, !piece.isEmpty {
        update { state in
          state.data += piece
          state.lines += piece.count { $0 == UInt8(ascii: "\n") }
        }
      }
      update { $0.hasEnded = true }
    }
  }

  private func update(_ change: (inout State) -> Void) {
    let (served, text) = state.withLock { state in
      change(&state)
      let served = state.takeServed()
      return (served, served.isEmpty ? "" : state.text)
    }
    for continuation in served { continuation.resume(returning: text) }
  }

  func text(ofLines count: Int) async -> String {
    await withCheckedContinuation { continuation in
      let text = state.withLock { state -> String? in
        if state.hasEnded || count <= state.lines { return state.text }
        state.waiters.append((count, continuation))
        return nil
      }
      if let text { continuation.resume(returning: text) }
    }
  }
}
