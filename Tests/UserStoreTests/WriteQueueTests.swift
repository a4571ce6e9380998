import Testing
import UserDomain
import UserStore

@Suite struct WriteQueueTests {
  /// A write that does nothing.
  private struct IdleWrite: StoreWrite {
    let queued: QueuedWrite
  }

  private func write(_ rows: Int, isImport: Bool = false) -> IdleWrite {
    IdleWrite(queued: QueuedWrite(rows: rows, isImport: isImport))
  }

  private func isRefused(_ admission: WriteAdmission) -> Bool {
    if case .refused(.overloaded) = admission { true } else { false }
  }

  @Test("imports do not keep other writes out of a full queue, and are never refused themselves")
  func imports() {
    var queue = WriteQueue<IdleWrite>(limits: WriteLimits(waitingRows: 10, rowsPerTransaction: 4))
    for _ in 0..<5 { #expect(!isRefused(queue.submitted(write(8, isImport: true)))) }
    #expect(!queue.hasOtherWrites)
    #expect(!isRefused(queue.submitted(write(8))))
    #expect(queue.hasOtherWrites)
    #expect(isRefused(queue.submitted(write(3))))
    #expect(!isRefused(queue.submitted(write(8, isImport: true))))
    // Each import has a transaction, in the order of arrival.
    for _ in 0..<5 { #expect(queue.nextGroup().map(\.queued.isImport) == [true]) }
    #expect(isRefused(queue.submitted(write(3))))
    #expect(queue.nextGroup().map(\.queued.isImport) == [false])
    #expect(!isRefused(queue.submitted(write(3))))
    #expect(queue.nextGroup().map(\.queued.rows) == [8])
    #expect(queue.nextGroup().map(\.queued.rows) == [3])
    #expect(queue.nextGroup().isEmpty)
  }
}
