import Synchronization
import Testing

@testable import TokenSigning

@Suite struct KeyLookTests {
  /// Counts the looks that have begun, and the running ones.
  private final class Looks: Sendable {
    private let counts = Mutex((begun: 0, running: 0))

    var begun: Int { counts.withLock { $0.begun } }

    func look() async -> [KeyEvent] {
      let running = counts.withLock { counts in
        counts.begun += 1
        counts.running += 1
        return counts.running
      }
      #expect(running == 1)
      await Task.yield()
      counts.withLock { $0.running -= 1 }
      return []
    }
  }

  @Test("waiting callers share the next look, and looks do not overlap")
  func shared() async {
    let (look, looks) = (KeyLook(), Looks())
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<1_000 {
        group.addTask { _ = await look.run(spacing: .milliseconds(20)) { await looks.look() } }
      }
    }
    #expect(looks.begun >= 1 && looks.begun < 1_000)
  }

  @Test("a caller gets the result of a look that began after its call")
  func fresh() async {
    let look = KeyLook()
    for expected in 1...20 {
      let events = await look.run(spacing: .zero) { [.reloaded(file: "keys", keys: expected)] }
      #expect(events == [.reloaded(file: "keys", keys: expected)])
    }
  }
}
