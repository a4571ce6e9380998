import Testing

@testable import PasswordHashing

@Suite struct HashingQueueTests {
  private let start = ContinuousClock.now

  private func job(_ id: UInt64, memory: Int = 10, deadline: Duration? = nil) -> HashingQueue.Job {
    HashingQueue.Job(id: id, memory: memory, deadline: deadline.map { start + $0 })
  }

  private func queue(threads: Int = 2, memory: Int = 100, length: Int = 2) -> HashingQueue {
    HashingQueue(limits: HashingLimits(threads: threads, memoryBudget: memory, queueLength: length))
  }

  @Test("hashes start while there are threads, then wait in order, then are refused")
  func order() {
    var queue = queue()
    let step1 = queue.submitted(job(1), now: start)
    #expect(step1.start == [1])
    let step2 = queue.submitted(job(2), now: start)
    #expect(step2.start == [2])
    let step3 = queue.submitted(job(3), now: start)
    #expect(step3 == .init())
    let step4 = queue.submitted(job(4), now: start)
    #expect(step4 == .init())
    let refused = queue.submitted(job(5), now: start)
    guard case .overloaded(let retryAfter) = refused.refusal else {
      Issue.record("not refused: \(refused)")
      return
    }
    #expect(retryAfter > .zero)
    let step5 = queue.finished(1, took: .milliseconds(20), now: start)
    #expect(step5.start == [3])
    let step6 = queue.finished(2, took: .milliseconds(20), now: start)
    #expect(step6.start == [4])
    #expect(queue.waitingCount == 0)
  }

  @Test("the retry delay grows with the queue and with the time that hashes take")
  func retryDelay() {
    func delay(length: Int, duration: Duration) -> Duration {
      var queue = queue(threads: 1, length: length)
      _ = queue.submitted(job(0), now: start)
      for _ in 0..<50 {
        _ = queue.finished(0, took: duration, now: start)
        _ = queue.submitted(job(0), now: start)
      }
      for id in 1...UInt64(length) { _ = queue.submitted(job(id), now: start) }
      guard case .overloaded(let delay) = queue.submitted(job(99), now: start).refusal else { return .zero }
      return delay
    }
    #expect(delay(length: 10, duration: .milliseconds(20)) > delay(length: 2, duration: .milliseconds(20)))
    #expect(delay(length: 2, duration: .milliseconds(200)) > delay(length: 2, duration: .milliseconds(20)))
  }

  @Test("the memory budget holds hashes back, and the head of the queue is not overtaken")
  func memory() {
    var queue = queue(threads: 3)
    let step7 = queue.submitted(job(1, memory: 60), now: start)
    #expect(step7.start == [1])
    let step8 = queue.submitted(job(2, memory: 60), now: start)
    #expect(step8.start == [])
    let step9 = queue.submitted(job(3, memory: 10), now: start)
    #expect(step9.start == [])
    let step10 = queue.finished(1, took: .zero, now: start)
    #expect(step10.start == [2, 3])
  }

  @Test("a hash beyond the whole budget is refused")
  func beyondBudget() {
    var queue = queue()
    let step11 = queue.submitted(job(1, memory: 101), now: start)
    #expect(step11.refusal == .needsMoreThanBudget)
  }

  @Test("a deadline that has passed is refused, and one that passes in the queue is dropped")
  func deadlines() {
    var queue = queue(threads: 1)
    let step12 = queue.submitted(job(1), now: start)
    #expect(step12.start == [1])
    let step13 = queue.submitted(job(2, deadline: .zero), now: start)
    #expect(step13.refusal == .deadlineExceeded)
    let step14 = queue.submitted(job(3, deadline: .seconds(1)), now: start)
    #expect(step14 == .init())
    let step15 = queue.submitted(job(4), now: start)
    #expect(step15 == .init())
    let actions = queue.finished(1, took: .zero, now: start + .seconds(2))
    #expect(actions.expired == [3])
    #expect(actions.start == [4])
  }

  @Test("a full queue makes room by dropping those whose deadline has passed")
  func makesRoom() {
    var queue = queue(threads: 1)
    _ = queue.submitted(job(1), now: start)
    _ = queue.submitted(job(2, deadline: .seconds(1)), now: start)
    _ = queue.submitted(job(3), now: start)
    let actions = queue.submitted(job(4), now: start + .seconds(2))
    #expect(actions.expired == [2])
    #expect(actions.refusal == nil)
  }

  @Test("a cancelled hash leaves the queue if it has not started")
  func cancellation() {
    var queue = queue(threads: 1)
    _ = queue.submitted(job(1), now: start)
    _ = queue.submitted(job(2), now: start)
    let results = [
      queue.cancelled(2, now: start), queue.cancelled(2, now: start), queue.cancelled(1, now: start),
    ]
    #expect(results == [.init(), nil, nil])
    let actions = queue.finished(1, took: .zero, now: start)
    #expect(actions == .init())
  }

  @Test("cancelling the head of the queue starts those that it held up")
  func cancelledHead() {
    var queue = queue(threads: 3)
    _ = queue.submitted(job(1, memory: 60), now: start)
    _ = queue.submitted(job(2, memory: 60), now: start)
    _ = queue.submitted(job(3, memory: 10), now: start)
    let actions = queue.cancelled(2, now: start)
    #expect(actions?.start == [3])
  }

  @Test("without a queue a free thread is still used")
  func noQueue() {
    var queue = queue(threads: 1, length: 0)
    let step16 = queue.submitted(job(1), now: start)
    #expect(step16.start == [1])
    let step17 = queue.submitted(job(2), now: start)
    #expect(step17.refusal != nil)
  }
}
