import GRPCCore
import GRPCNIOTransportHTTP2

/// Connects to the service and calls `body` with a client. When `body` returns or throws, the calls that still run end
/// and the connection is closed, whatever happens.
///
/// The connection is made when it is first needed, and anew when it is lost.
///
/// - Throws: what `body` throws; `UserServiceError.failed` if the certificates cannot be read.
@discardableResult
public func withUserServiceClient<Result: Sendable>(
  _ configuration: UserServiceClient.Configuration, isolation: isolated (any Actor)? = #isolation,
  _ body: (UserServiceClient) async throws -> Result
) async throws -> Result {
  let connections = GRPCClient(transport: try configuration.makeTransport())
  let client = UserServiceClient(connections, configuration)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask {
      // It fails only when it is cancelled, or if it had run before.
      try? await connections.runConnections()
    }
    // Nobody waits for a call any more, so none has to be waited for: a graceful end would take as long as a service
    // that does not answer likes.
    defer {
      client.calls.cancelAll()
      group.cancelAll()
    }
    return try await body(client)
  }
}
