import Testing
import UserDomain

@testable import PasswordHashing

@Suite struct HashingQueueTests {
  private func job(
    _ id: UInt64, memory: Int = 10, of caller: String = "ada", background: Bool = false
  ) -> HashingQueue.Job {
    HashingQueue.Job(
      id: id, memory: memory, requester: HashRequester(.principal(caller), isBackground: background))
  }

  private func queue(threads: Int = 2, memory: Int = 100, length: Int = 2) -> HashingQueue {
    HashingQueue(limits: HashingLimits(threads: threads, memoryBudget: memory, queueLength: length))
  }

  /// Ends the running hash, and then each that starts, and returns them in order.
  private func drain(_ queue: inout HashingQueue, running first: UInt64) -> [UInt64] {
    var order = [first]
    var ended = 0
    while ended < order.count {
      order += queue.finished(order[ended], took: .zero).start
      ended += 1
    }
    return Array(order.dropFirst())
  }

  @Test("hashes start while threads are free, then wait in order, then are refused")
  func order() {
    var queue = queue()
    let step1 = queue.submitted(job(1))
    #expect(step1.start == [1])
    let step2 = queue.submitted(job(2))
    #expect(step2.start == [2])
    let step3 = queue.submitted(job(3))
    #expect(step3 == .init())
    let step4 = queue.submitted(job(4))
    #expect(step4 == .init())
    let refused = queue.submitted(job(5))
    guard case .overloaded(let retryAfter) = refused.refusal else {
      Issue.record("not refused: \(refused)")
      return
    }
    #expect(retryAfter > .zero)
    let step5 = queue.finished(1, took: .milliseconds(20))
    #expect(step5.start == [3])
    let step6 = queue.finished(2, took: .milliseconds(20))
    #expect(step6.start == [4])
    #expect(queue.waitingCount == 0)
  }

  @Test("the retry delay grows with the queue and with the duration of hashes")
  func retryDelay() {
    func delay(length: Int, duration: Duration) -> Duration {
      var queue = queue(threads: 1, length: length)
      _ = queue.submitted(job(0))
      for _ in 0..<50 {
        _ = queue.finished(0, took: duration)
        _ = queue.submitted(job(0))
      }
      for id in 1...UInt64(length) { _ = queue.submitted(job(id)) }
      guard case .overloaded(let delay) = queue.submitted(job(99)).refusal else { return .zero }
      return delay
    }
    #expect(delay(length: 10, duration: .milliseconds(20)) > delay(length: 2, duration: .milliseconds(20)))
    #expect(delay(length: 2, duration: .milliseconds(200)) > delay(length: 2, duration: .milliseconds(20)))
  }

  @Test("the memory budget holds hashes back, and the head of the queue is not overtaken")
  func memory() {
    var queue = queue(threads: 3)
    let step7 = queue.submitted(job(1, memory: 60))
    #expect(step7.start == [1])
    let step8 = queue.submitted(job(2, memory: 60))
    #expect(step8.start == [])
    // Another caller's hash does not overtake it either.
    let step9 = queue.submitted(job(3, memory: 10, of: "bob"))
    #expect(step9.start == [])
    let step10 = queue.finished(1, took: .zero)
    #expect(step10.start == [2, 3])
  }

  @Test("a hash beyond the whole budget is refused")
  func beyondBudget() {
    var queue = queue()
    let step11 = queue.submitted(job(1, memory: 101))
    #expect(step11.refusal == .needsMoreThanBudget)
  }

  @Test("a cancelled hash leaves the queue if it has not started")
  func cancellation() {
    var queue = queue(threads: 1)
    _ = queue.submitted(job(1))
    _ = queue.submitted(job(2))
    let results = [queue.cancelled(2), queue.cancelled(2), queue.cancelled(1)]
    #expect(results == [.init(), nil, nil])
    let actions = queue.finished(1, took: .zero)
    #expect(actions == .init())
  }

  @Test("cancelling the head of the queue starts the hashes that it held up", arguments: [false, true])
  func cancelledHead(background: Bool) {
    var queue = queue(threads: 3)
    _ = queue.submitted(job(1, memory: 60, background: background))
    _ = queue.submitted(job(2, memory: 60, background: background))
    _ = queue.submitted(job(3, memory: 10, background: background))
    let actions = queue.cancelled(2)
    #expect(actions?.start == [3])
  }

  @Test("without a queue a free thread is still used")
  func noQueue() {
    var queue = queue(threads: 1, length: 0)
    let step16 = queue.submitted(job(1))
    #expect(step16.start == [1])
    let step17 = queue.submitted(job(2, of: "bob"))
    #expect(step17.refusal != nil && step17.displaced == nil)
  }

  // MARK: Turns of the callers

  @Test("callers are served in turn, however many hashes each has, and each caller's hashes in order")
  func turns() {
    var queue = queue(threads: 1, length: 100)
    _ = queue.submitted(job(0))
    for id in 1...5 as ClosedRange<UInt64> { _ = queue.submitted(job(id, of: "many")) }
    for id in 11...12 as ClosedRange<UInt64> { _ = queue.submitted(job(id, of: "few")) }
    _ = queue.submitted(job(21, of: "one"))
    #expect(drain(&queue, running: 0) == [1, 11, 21, 2, 12, 3, 4, 5])
  }

  @Test(
    "a new caller gets a place in a queue filled by nine others, and waits for one hash of each"
  )
  func nineNetworks() {
    var queue = queue(threads: 1, length: 90)
    _ = queue.submitted(job(0, of: "0"))
    for id in 1...200 as ClosedRange<UInt64> { _ = queue.submitted(job(id, of: "\(id % 9)")) }
    #expect(queue.waitingCount == 90)
    let actions = queue.submitted(job(1_000, of: "honest"))
    #expect(actions.refusal == nil && actions.displaced != nil)
    #expect(queue.waitingCount == 90)
    let order = drain(&queue, running: 0)
    #expect(order.firstIndex(of: 1_000) == 9)
    #expect(order.count == 90)
  }

  @Test("when the queue is full, the caller with the most hashes loses its latest, even to itself")
  func displacement() {
    var queue = queue(threads: 1, length: 3)
    _ = queue.submitted(job(0))
    for id in 1...3 as ClosedRange<UInt64> { _ = queue.submitted(job(id, of: "many")) }
    let own = queue.submitted(job(4, of: "many"))
    #expect(own.refusal != nil && own.displaced == nil)
    let other = queue.submitted(job(11, of: "few"))
    #expect(other.refusal == nil && other.displaced?.id == 3)
    // With two of one and one of the other, nothing would be gained.
    let second = queue.submitted(job(12, of: "few"))
    #expect(second.refusal != nil && second.displaced == nil)
    let third = queue.submitted(job(21, of: "one"))
    #expect(third.displaced?.id == 2)
    // With one of each, the next caller is one too many.
    let late = queue.submitted(job(31, of: "late"))
    #expect(late.refusal != nil && late.displaced == nil)
    #expect(drain(&queue, running: 0) == [1, 11, 21])
  }

  @Test("hashes that clients wait for come before background ones, and take their places")
  func classes() {
    var queue = queue(threads: 1, length: 3)
    _ = queue.submitted(job(0, of: "bulk", background: true))
    for id in 1...3 as ClosedRange<UInt64> { _ = queue.submitted(job(id, of: "bulk", background: true)) }
    let signIn = queue.submitted(job(11))
    #expect(signIn.refusal == nil && signIn.displaced?.id == 3)
    let another = queue.submitted(job(12))
    #expect(another.displaced?.id == 2)
    // A background hash takes no place of a foreground one, however many a caller has.
    let more = queue.submitted(job(4, of: "other", background: true))
    #expect(more.refusal != nil && more.displaced == nil)
    #expect(drain(&queue, running: 0) == [11, 12, 1])
  }

  @Test("the background is not starved")
  func share() {
    var queue = queue(threads: 1, length: 100)
    _ = queue.submitted(job(0))
    _ = queue.submitted(job(1_000, of: "bulk", background: true))
    for id in 1...40 as ClosedRange<UInt64> { _ = queue.submitted(job(id)) }
    #expect(drain(&queue, running: 0).firstIndex(of: 1_000) == HashingQueue.startsBeforeBackground)
  }

  @Test(
    "each accepted hash starts once or is refused, for any sequence of submissions, cancellations and ends"
  )
  func accounting() {
    var random = SplitMix(state: 7)
    var queue = queue(threads: 2, memory: 40, length: 12)
    var waiting: Set<UInt64> = []
    var running: Set<UInt64> = []
    func apply(_ actions: HashingQueue.Actions) {
      if let displaced = actions.displaced { #expect(waiting.remove(displaced.id) != nil) }
      for id in actions.start {
        #expect(waiting.remove(id) != nil)
        running.insert(id)
      }
    }
    for id in 1...5_000 as ClosedRange<UInt64> {
      let actions = queue.submitted(
        job(
          id, memory: Int.random(in: 1...40, using: &random), of: "\(Int.random(in: 0..<6, using: &random))",
          background: Bool.random(using: &random)))
      if actions.refusal == nil { waiting.insert(id) }
      apply(actions)
      if Bool.random(using: &random), let cancelled = waiting.sorted().randomElement(using: &random) {
        waiting.remove(cancelled)
        if let actions = queue.cancelled(cancelled) {
          apply(actions)
        } else {
          Issue.record("\(cancelled) is lost")
        }
      }
      if Bool.random(using: &random), let finished = running.sorted().randomElement(using: &random) {
        running.remove(finished)
        apply(queue.finished(finished, took: .milliseconds(1)))
      }
      #expect(queue.waitingCount == waiting.count && waiting.count <= 12 && running.count <= 2)
    }
    while let finished = running.first {
      running.remove(finished)
      apply(queue.finished(finished, took: .milliseconds(1)))
    }
    #expect(waiting.isEmpty)
  }
}
