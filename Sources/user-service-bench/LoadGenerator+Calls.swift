import Foundation

/// Calls of the measured service.
extension LoadGenerator {
  /// Prepares calls of `method` with `token`.
  init(
    _ method: String, _ token: String, of server: BenchServer, connections: Int = 8, streams: Int = 32
  ) {
    self.init(
      address: server.address,
      headers: Self.headers("/user.v1.UserService/\(method)", at: server.address, token: token),
      connections: connections, streams: streams)
  }

  /// Makes one call with many messages, each in its own DATA frame, as clients of client-streaming methods do.
  func upload(_ messages: [[UInt8]]) throws {
    let peer = try Peer(address, headers)
    defer { peer.close() }
    try peer.upload(messages)
  }

  /// Raises the limit of open files: a thousand connections need as many, here and in the server, which inherits the
  /// limit.
  static func raiseFileLimit() throws {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(4_096, limit.rlim_max)
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur >= 2_048 else {
      throw RawDatabase.Failure(description: "this process may not open enough files; see ulimit -Hn")
    }
  }
}

extension LoadGenerator.Outcome {
  /// Returns the outcome.
  ///
  /// - Throws: when a call has failed.
  @discardableResult
  func checked() throws -> Self {
    guard failures == 0 else {
      throw RawDatabase.Failure(description: "\(failures) calls have failed")
    }
    return self
  }
}
