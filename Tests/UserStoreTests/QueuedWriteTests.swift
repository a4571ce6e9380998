import Synchronization
import Testing
import UserDomain
import UserStore

@Suite struct QueuedWriteTests {
  @Test("a caller is resumed with the end of its write, once")
  func ends() async throws {
    let write = QueuedWrite(rows: 1)
    try await write.commit {
      #expect(write.start())
      write.end(nil)
      write.end(.overloaded(retryAfter: .seconds(1)))
    }
    #expect(!write.start())
    let refused = QueuedWrite(rows: 1)
    await #expect(throws: UserError.shuttingDown) { try await refused.commit { refused.end(.shuttingDown) } }
  }

  @Test("a task that is cancelled before its write starts has it skipped")
  func cancelled() async {
    let write = QueuedWrite(rows: 1)
    let isSubmitted = Atomic(false)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await write.commit { isSubmitted.store(true, ordering: .relaxed) }
    }
    await #expect(throws: UserError.cancelled) { try await task.value }
    let wasSubmitted = isSubmitted.load(ordering: .relaxed)
    #expect(!wasSubmitted)
    #expect(!write.start())
  }

  @Test("a write that has started is not cancelled")
  func started() async throws {
    let write = QueuedWrite(rows: 1)
    let task = Task {
      try await write.commit {
        #expect(write.start())
        withUnsafeCurrentTask { $0?.cancel() }
        write.end(nil)
      }
    }
    try await task.value
  }
}
