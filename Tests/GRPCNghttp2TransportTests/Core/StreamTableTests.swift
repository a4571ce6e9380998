import Testing

@testable import GRPCNghttp2Transport

/// Looking for calls by the ids of their streams.
@Suite struct StreamTableTests {
  @Test("every call is found, and no other, whatever the ids have in common", arguments: [2, 128, 2_048])
  func find(step: Int32) {
    var table = StreamTable()
    var slots: [Int32: Int] = [:]
    let ids = (0..<400).map { 1 + $0 * step }
    for (count, id) in ids.enumerated() {
      slots[id] = table.open(id, memory: StreamMemory(), maxHeaderListSize: 0)
      // Two of three calls end while later ones begin, so that slots are used again.
      if count >= 200, count % 3 > 0, let slot = slots.removeValue(forKey: ids[count - 200]) {
        table.remove(slot)
      }
      if count % 50 == 0 {
        for id in ids { #expect(table.find(id) == slots[id]) }
      }
    }
    #expect(Set(slots.values).count == slots.count)
    #expect(slots.allSatisfy { id, slot in table.slots[slot].id == id })
    for slot in slots.values { table.remove(slot) }
    table.giveBackMemory()
    #expect(ids.allSatisfy { table.find($0) == nil } && table.slots.isEmpty)
    #expect(table.find(0) == nil && table.find(-1) == nil)
  }
}
