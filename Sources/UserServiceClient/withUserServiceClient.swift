import GRPCCore
import GRPCNIOTransportHTTP2

/// Connects to the service and calls `body` with a client. When `body` returns or throws, running calls are cancelled
/// and the connection is closed.
///
/// The connection is made when it is first needed, and again after it is lost.
///
/// - Throws: the errors of `body`; `UserServiceError.failed` if the certificates cannot be read.
@discardableResult
public func withUserServiceClient<Result: Sendable>(
  _ configuration: UserServiceClient.Configuration, isolation: isolated (any Actor)? = #isolation,
  _ body: (UserServiceClient) async throws -> Result
) async throws -> Result {
  let connections = GRPCClient(transport: try configuration.makeTransport())
  let client = UserServiceClient(connections, configuration)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask {
      // Fails only when cancelled, or when called twice.
      try? await connections.runConnections()
    }
    // No caller waits for a call any more. A graceful shutdown would last as long as an unresponsive service keeps
    // its calls open.
    defer {
      client.calls.cancelAll()
      group.cancelAll()
    }
    return try await body(client)
  }
}
