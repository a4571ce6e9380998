import Testing

@testable import UserStorePostgres

/// Tests the order of libpq's results against a list of those that may come.
@Suite struct PipelineStateTests {
  private typealias State = PipelineState<Int>

  private static let results: [State.Received] = [
    .success, .failure, .skipped, .synchronised, .endOfRequest, .other,
  ]

  /// What is expected, one result after another.
  private struct Model {
    enum Expected {
      case result(Int)
      case end
      case synchronisation
    }

    var expected: [Expected] = []

    mutating func sent(_ request: Int) { expected += [.result(request), .end] }

    mutating func received(_ result: State.Received) -> State.Event {
      switch (expected.first, result) {
      case (.result(let request), .success): return next(.succeeded(request))
      case (.result(let request), .failure): return next(.failed(request))
      case (.result(let request), .skipped): return next(.skipped(request))
      case (.end, .endOfRequest): return next(.nothing)
      case (.synchronisation, .synchronised): return next(.synchronised)
      default: return .violation
      }
    }

    private mutating func next(_ event: State.Event) -> State.Event {
      expected.removeFirst()
      return event
    }

    /// The requests and synchronisation points without a result.
    var count: Int { expected.count { if case .end = $0 { false } else { true } } }

    var requests: [Int] { expected.compactMap { if case .result(let request) = $0 { request } else { nil } } }
  }

  /// A state, and its model.
  private struct Pair {
    var state = State()
    var model = Model()

    mutating func send(_ request: Int?) {
      if let request {
        state.sent(request)
        model.sent(request)
      } else {
        state.sentSynchronisation()
        model.expected.append(.synchronisation)
      }
    }

    mutating func receive(_ result: State.Received) {
      #expect("\(state.received(result))" == "\(model.received(result))", "\(result) while \(model)")
      #expect(state.isWaiting == !model.expected.isEmpty)
      #expect(state.count == model.count)
    }
  }

  @Test("every result in every state means what the model says, and one that may not come changes nothing")
  func everyResult() {
    let sent: [[Int?]] = [[], [1], [nil], [1, 2], [1, nil], [nil, 1]]
    for requests in sent {
      for first in Self.results {
        for second in Self.results {
          for third in Self.results {
            var pair = Pair()
            for request in requests { pair.send(request) }
            for result in [first, second, third] { pair.receive(result) }
            #expect(pair.state.ended() == pair.model.requests)
            #expect(!pair.state.isWaiting && pair.state.unsynchronised == 0)
          }
        }
      }
    }
  }

  @Test("random orders of requests and results agree with the model", arguments: 0..<20)
  func randomOrders(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var pair = Pair()
    var unsynchronised = 0
    for step in 0..<1_000 {
      switch Int.random(in: 0..<5, using: &random) {
      case 0:
        pair.send(step)
        unsynchronised += 1
      case 1:
        pair.send(nil)
        unsynchronised = 0
      default: pair.receive(Self.results.randomElement(using: &random) ?? .other)
      }
      #expect(pair.state.unsynchronised == unsynchronised)
    }
  }

  @Test("each request has one event with a server that skips after a failure", arguments: 0..<20)
  func server(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var state = State()
    var results: [State.Received] = []
    var hasFailed = false
    var requests: [Int] = []
    var seen: [Int] = []
    for step in 0..<1_000 {
      if Int.random(in: 0..<3, using: &random) > 0 {
        state.sent(step)
        requests.append(step)
        let fails = !hasFailed && Int.random(in: 0..<5, using: &random) == 0
        results += [hasFailed ? .skipped : fails ? .failure : .success, .endOfRequest]
        hasFailed = hasFailed || fails
      } else {
        state.sentSynchronisation()
        results.append(.synchronised)
        hasFailed = false
      }
      // The results come after any delay.
      while !results.isEmpty, Bool.random(using: &random) {
        switch state.received(results.removeFirst()) {
        case .succeeded(let request), .failed(let request), .skipped(let request): seen.append(request)
        case .nothing, .synchronised: break
        case .violation: Issue.record("a violation after \(seen)")
        }
      }
    }
    #expect(seen + state.ended() == requests)
  }
}
