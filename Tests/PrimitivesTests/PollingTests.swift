import Primitives
import Synchronization
import Testing

@Suite struct PollingTests {
  @Test("a turn runs at once, and one after each pause until the pauses end")
  func turns() async {
    let pauses = Mutex<[Duration]>([])
    let polling = Polling(every: .seconds(7)) { pause in
      let count = pauses.withLock { pauses in
        pauses.append(pause)
        return pauses.count
      }
      if count == 3 { throw CancellationError() }
    }
    var turns = 0
    await polling.run { turns += 1 }
    #expect(turns == 3)
    #expect(pauses.withLock { $0 } == [.seconds(7), .seconds(7), .seconds(7)])
  }

  @Test("a task cancelled during a turn or a pause runs no further turn")
  func cancelled() async {
    let turns = Atomic(0)
    let task = Task {
      // Only a cancellation ends this pause.
      await Polling(every: .seconds(86_400)).run {
        turns.wrappingAdd(1, ordering: .relaxed)
        withUnsafeCurrentTask { $0?.cancel() }
      }
    }
    await task.value
    #expect(turns.load(ordering: .relaxed) == 1)
  }

  @Test("a problem is reported when it begins, changes and ends")
  func problems() {
    var problem = CurrentProblem<String>()
    let found: [String?] = [nil, "a", "a", "b", "a", nil, nil]
    #expect(found.map { problem.changes(to: $0) } == [false, true, false, true, true, true, false])
  }
}
