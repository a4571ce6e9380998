import TestSupport

@testable import UserServiceClient

extension UserServiceClient.Configuration {
  /// Returns a configuration for a service on this machine, with time-outs for a busy machine.
  static func test(_ port: Int, _ credentials: Credentials = .anonymous) -> Self {
    var configuration = Self(ServerAddress("127.0.0.1:\(port)")!, credentials: credentials)
    configuration.timeout = .seconds(120)
    configuration.idleTimeout = .seconds(120)
    configuration.retries.attemptTimeout = .seconds(60)
    configuration.bulkBatch = 1_000
    configuration.longestRefresh = .seconds(120)
    return configuration
  }
}

extension [NewUser] {
  /// Returns this many distinct users.
  static func numbered(_ count: Int) -> [NewUser] {
    (0..<count).map { NewUser(email: "user\($0)@example.com", name: "User \($0)") }
  }
}

extension UserStream {
  /// Returns all users.
  func all() async throws(UserServiceError) -> [User] {
    var users: [User] = []
    for try await user in self { users.append(user) }
    return users
  }
}

extension RunningService {
  /// A service whose database is in `directory`.
  static func forClient(
    in directory: TemporaryDirectory, _ arguments: [String] = [], port: Int = 0, auth: Bool = false,
    environment: [String: String] = [:]
  ) async throws -> RunningService {
    try await RunningService(
      ["--database", directory.path("users.db"), "--log-level", "error"] + arguments, port: port, auth: auth,
      environment: environment)
  }
}
