import DequeModule

/// What a connection in pipeline mode has sent and still expects results of: the order of the protocol as a value, apart
/// from input and output (postgresql.org/docs/current/libpq-pipeline-mode.html).
///
/// Results come in the order of the requests. A request that fails makes the server skip those after it, up to the next
/// synchronisation point.
struct PipelineState<Request> {
  /// What libpq says of a result.
  enum Received {
    case success
    case failure
    /// The server has skipped the request.
    case skipped
    /// A synchronisation point was reached.
    case synchronised
    /// The end of a request's results.
    case endOfRequest
    /// Anything else: the connection is of no use.
    case other
  }

  /// What a result means.
  enum Event {
    case succeeded(Request)
    case failed(Request)
    case skipped(Request)
    /// A synchronisation point was reached: requests that were skipped can be sent again.
    case synchronised
    /// The end of a request's results, which were taken.
    case nothing
    /// The server, or this program, breaks the protocol: the connection must be closed.
    case violation
  }

  private enum Expected {
    case request(Request)
    case synchronisation
  }

  private var expected: Deque<Expected> = []
  /// The requests that no synchronisation point follows yet.
  private(set) var unsynchronised = 0
  /// Whether the end of the last request's results is still to come.
  private var awaitsEnd = false

  /// Whether results are expected.
  var isWaiting: Bool { !expected.isEmpty || awaitsEnd }

  /// The number of requests and synchronisation points whose results are expected.
  var count: Int { expected.count }

  /// Records a request that was sent.
  mutating func sent(_ request: Request) {
    expected.append(.request(request))
    unsynchronised += 1
  }

  /// Records a synchronisation point that was sent.
  mutating func sentSynchronisation() {
    expected.append(.synchronisation)
    unsynchronised = 0
  }

  /// Decides what a result means.
  mutating func received(_ result: Received) -> Event {
    if case .endOfRequest = result {
      guard awaitsEnd else { return .violation }
      awaitsEnd = false
      return .nothing
    }
    guard !awaitsEnd, let next = expected.popFirst() else { return .violation }
    switch (next, result) {
    case (.synchronisation, .synchronised): return .synchronised
    case (.request(let request), .success):
      awaitsEnd = true
      return .succeeded(request)
    case (.request(let request), .failure):
      awaitsEnd = true
      return .failed(request)
    case (.request(let request), .skipped):
      awaitsEnd = true
      return .skipped(request)
    case (_, _):
      expected.prepend(next)
      return .violation
    }
  }

  /// Forgets everything, and returns the requests that have no result, in their order.
  mutating func ended() -> [Request] {
    defer { self = PipelineState() }
    return expected.compactMap { if case .request(let request) = $0 { request } else { nil } }
  }
}
