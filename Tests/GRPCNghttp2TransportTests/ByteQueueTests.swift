import Testing

@testable import GRPCNghttp2Transport

@Suite struct ByteQueueTests {
  private func contents(_ queue: ByteQueue) -> [UInt8] { queue.withUnsafeBytes { Array($0) } }

  @Test("any order of changes has the contents of an array")
  func model() {
    for _ in 0..<30 {
      var queue = ByteQueue()
      var model: [UInt8] = []
      for _ in 0..<100 {
        switch Int.random(in: 0..<8) {
        case 0..<3:
          let bytes = (0..<Int.random(in: 0..<3_000)).map { _ in UInt8.random(in: 0...255) }
          bytes.withUnsafeBytes { queue.append($0) }
          model += bytes
        case 3:
          let room = Int.random(in: 0..<100)
          let count = Int.random(in: 0...room)
          queue.append(atMost: room) { bytes in
            for index in 0..<count { bytes[index] = UInt8(index) }
            return count
          }
          model += (0..<count).map { UInt8($0) }
        case 4..<6:
          let count = Int.random(in: 0...model.count)
          queue.removeFirst(count)
          model.removeFirst(count)
        case 6:
          let count = Int.random(in: 0...model.count)
          queue.truncate(to: count)
          model.removeLast(model.count - count)
        default:
          guard model.count >= 3 else { continue }
          let offset = Int.random(in: 0...model.count - 3)
          queue.replace(at: offset, with: [1, 2, 3])
          model.replaceSubrange(offset..<offset + 3, with: [1, 2, 3])
        }
        #expect(queue.count == model.count && queue.isEmpty == model.isEmpty && queue.capacity >= queue.count)
      }
      #expect(contents(queue) == model)
      #expect(model.indices.allSatisfy { queue[$0] == model[$0] })
      #expect(Array(queue.slice(0..<model.count)) == model)
    }
  }

  @Test("a number is read big-endian from anywhere")
  func numbers() {
    var queue = ByteQueue([9, 0, 1, 2, 3, 255])
    #expect(queue.number(at: 1) == 0x0001_0203)
    queue.removeFirst(2)
    #expect(queue.number(at: 0) == 0x0102_03ff)
  }

  @Test("a queue in use does not grow: what was removed makes room")
  func bounded() {
    var queue = ByteQueue([UInt8](repeating: 0, count: 1_000))
    for _ in 0..<10_000 {
      [UInt8](repeating: 1, count: 500).withUnsafeBytes { queue.append($0) }
      queue.removeFirst(500)
    }
    #expect(queue.count == 1_000 && queue.capacity <= 16_384)
  }

  @Test("memory is kept up to a limit")
  func release() {
    var queue = ByteQueue([1, 2, 3])
    queue.removeAll()
    #expect(queue.isEmpty && queue.capacity == 3)
    queue.removeAll(keepingAtMost: 3)
    #expect(queue.capacity == 3)
    queue.removeAll(keepingAtMost: 2)
    #expect(queue.capacity == 0)
    queue.append(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(queue.isEmpty && contents(queue) == [])
  }

  @Test("a slice keeps its bytes while the queue changes")
  func slices() {
    var queue = ByteQueue([1, 2, 3, 4])
    let slice = queue.slice(1..<3)
    queue.replace(at: 0, with: [9, 9, 9, 9])
    #expect(Array(slice) == [2, 3] && contents(queue) == [9, 9, 9, 9])
  }
}
