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

  /// A write that shares no transaction with another one about the same thing.
  private struct WriteAboutOne: StoreWrite {
    typealias Company = OneEach
    let queued: QueuedWrite
    let thing: Int
  }

  private struct OneEach: WriteCompany {
    private var things: Set<Int> = []
    mutating func admits(_ write: WriteAboutOne) -> Bool { things.insert(write.thing).inserted }
  }

  private func queue(of things: [Int]) -> WriteQueue<WriteAboutOne> {
    var queue = WriteQueue<WriteAboutOne>(limits: WriteLimits(waitingRows: 100_000, rowsPerTransaction: 4))
    for thing in things { _ = queue.submitted(WriteAboutOne(queued: QueuedWrite(rows: 1), thing: thing)) }
    return queue
  }

  @Test("a write that cannot join a transaction waits for the next one, and later ones overtake it")
  func overtaking() {
    var queue = queue(of: [1, 1, 1, 2, 3, 1, 4, 5, 2])
    #expect(queue.nextGroup().map(\.thing) == [1, 2, 3, 4])
    #expect(queue.waitingWrites == 5)
    _ = queue.submitted(WriteAboutOne(queued: QueuedWrite(rows: 1), thing: 6))
    #expect(queue.nextGroup().map(\.thing) == [1, 5, 2, 6])
    #expect(queue.nextGroup().map(\.thing) == [1])
    #expect(queue.nextGroup().map(\.thing) == [1])
    #expect(!queue.hasOtherWrites)
    #expect(queue.nextGroup().isEmpty)
  }

  @Test("a transaction looks at a bounded number of writes that cannot join it")
  func boundedLook() {
    let overtaken = WriteQueue<WriteAboutOne>.overtaken
    var queue = queue(of: Array(repeating: 1, count: overtaken + 2) + [2])
    #expect(queue.nextGroup().map(\.thing) == [1])
    #expect(queue.nextGroup().map(\.thing) == [1])
    #expect(queue.nextGroup().map(\.thing) == [1, 2])
  }
}
