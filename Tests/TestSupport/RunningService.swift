import Foundation

/// `user-service serve` as a separate process, on its own port.
public final class RunningService: Sendable {
  /// The line that it prints once it listens.
  public let startLine: String
  /// The port that it listens on.
  public let port: Int

  private let process: ChildProcess

  /// Starts the program and returns once it listens.
  ///
  /// - Parameters:
  ///   - port: the port to listen on; 0 for any free port.
  ///   - auth: whether calls need tokens.
  ///   - file: the file for its standard error; nil to collect it.
  /// - Throws: `NotStarted` with its standard error, if it ends instead.
  public init(
    _ arguments: [String], port: Int = 0, auth: Bool = false, environment: [String: String] = [:],
    errorsTo file: String? = nil
  ) async throws {
    process = try ChildProcess(
      "user-service", ["serve", "--listen", "127.0.0.1:\(port)", "--auth", auth ? "on" : "off"] + arguments,
      environment: Self.patience.merging(environment) { $1 }, errorsTo: file)
    startLine = await process.output(ofLines: 1)
    guard let port = startLine.firstMatch(of: /:(\d+), database/).flatMap({ Int($0.1) }) else {
      throw NotStarted(status: await process.waitUntilExit().status, errors: await process.errors)
    }
    self.port = port
  }

  /// The tests share the few threads of one process. On a busy machine a call may pause for more than a minute between
  /// its headers and its message. Tests outside this process cover the usual time-out.
  private static let patience = ["USER_SERVICE_GRPC_RECEIVE_TIMEOUT": "10m"]

  /// The program ended before it listened.
  public struct NotStarted: Error {
    /// Its exit code.
    public let status: Int32
    /// The standard error of the program.
    public let errors: String
  }

  /// Sends a signal, such as SIGTERM.
  public func signal(_ number: Int32) {
    process.signal(number)
  }

  /// Waits for the process to end. Returns its exit code and its standard error, without the warning about disabled
  /// authentication.
  public func waitUntilExit() async -> (status: Int32, errors: String) {
    let lines = await process.errors.split(separator: "\n").filter { !$0.contains("AUTHENTICATION IS OFF") }
    return (await process.waitUntilExit().status, lines.map { $0 + "\n" }.joined())
  }

  /// Asks the process to stop, and waits until it has ended.
  @discardableResult
  public func stop() async -> (status: Int32, errors: String) {
    signal(SIGTERM)
    return await waitUntilExit()
  }
}
