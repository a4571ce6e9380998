import GRDB
import Testing
import UserDomain

@testable import UserStore

@Suite struct WriteQueueTests {
  private func write(_ rows: Int, isImport: Bool = false) -> QueuedWrite {
    QueuedWrite(rows: rows, isImport: isImport) { _ throws(DatabaseError) in }
  }

  private func isRefused(_ admission: WriteQueue.Admission) -> Bool {
    if case .refused(.overloaded) = admission { true } else { false }
  }

  @Test("imports do not keep other writes out of a full queue, nor these imports")
  func classes() {
    for isImport in [false, true] {
      var queue = WriteQueue(limits: WriteQueue.Limits(waitingRows: 10, rowsPerTransaction: 4))
      #expect(!isRefused(queue.submitted(write(8, isImport: isImport))))
      #expect(isRefused(queue.submitted(write(3, isImport: isImport))))
      #expect(!isRefused(queue.submitted(write(8, isImport: !isImport))))
      #expect(isRefused(queue.submitted(write(3, isImport: !isImport))))
      // What a transaction takes makes room for its own kind.
      #expect(queue.nextGroup().map(\.isImport) == [isImport])
      #expect(isRefused(queue.submitted(write(3, isImport: !isImport))))
      #expect(!isRefused(queue.submitted(write(3, isImport: isImport))))
      #expect(queue.nextGroup().map(\.isImport) == [!isImport])
      #expect(queue.nextGroup().map(\.rows) == [3])
      #expect(queue.nextGroup().isEmpty)
    }
  }
}
