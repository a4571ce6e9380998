/// Runs programs of this package.
public enum Program {
  /// The end of a process, and its output.
  public struct Outcome: Sendable {
    public let status: Int32
    public let output: String
    public let errors: String
  }

  /// Runs `name` to its end, with empty standard input.
  public static func run(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> Outcome {
    let process = try ChildProcess(name, arguments, environment: environment)
    return Outcome(
      status: await process.waitUntilExit().status, output: await process.output, errors: await process.errors
    )
  }
}
