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

  @Test("imports do not keep other writes out of a full queue, and are never refused themselves")
  func imports() {
    var queue = WriteQueue(limits: WriteQueue.Limits(waitingRows: 10, rowsPerTransaction: 4))
    for _ in 0..<5 { #expect(!isRefused(queue.submitted(write(8, isImport: true)))) }
    #expect(!queue.hasOtherWrites)
    #expect(!isRefused(queue.submitted(write(8))))
    #expect(queue.hasOtherWrites)
    #expect(isRefused(queue.submitted(write(3))))
    #expect(!isRefused(queue.submitted(write(8, isImport: true))))
    // Each import has a transaction, in the order of arrival.
    for _ in 0..<5 { #expect(queue.nextGroup().map(\.isImport) == [true]) }
    #expect(isRefused(queue.submitted(write(3))))
    #expect(queue.nextGroup().map(\.isImport) == [false])
    #expect(!isRefused(queue.submitted(write(3))))
    #expect(queue.nextGroup().map(\.rows) == [8])
    #expect(queue.nextGroup().map(\.rows) == [3])
    #expect(queue.nextGroup().isEmpty)
  }
}
