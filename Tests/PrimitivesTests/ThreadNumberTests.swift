import Foundation
import Primitives
import Synchronization
import Testing

@Suite struct ThreadNumberTests {
  @Test("each thread has its own number, which never changes")
  func numbers() {
    let count = 8
    let numbers = Mutex<[Int]>([])
    // Runs until all threads have asked, so that none ends before another begins.
    let asked = DispatchSemaphore(value: 0)
    let released = DispatchSemaphore(value: 0)
    for _ in 0..<count {
      Thread.detachNewThread {
        let number = ThreadNumber.current
        let isSame = ThreadNumber.current == number
        numbers.withLock { $0.append(isSame ? number : 0) }
        asked.signal()
        released.wait()
      }
    }
    for _ in 0..<count { asked.wait() }
    for _ in 0..<count { released.signal() }
    let all = numbers.withLock { $0 }
    #expect(Set(all).count == count && all.allSatisfy { $0 > 0 })
  }
}
