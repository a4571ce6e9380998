import NIOCore

/// The calls of a connection. Each keeps its slot until it is removed, then the slot is reused.
struct StreamTable {
  /// In an array of its own, so that looking for an id reads no streams: 0 for a slot that no call uses.
  private var ids: [Int32] = []
  /// The calls, each changed in place: without an accessor of our own, whose frame Swift 6.3 reads after it has freed it.
  var slots: [StreamState] = []
  private var free: [Int] = []
  /// The slots by id, once there are more than ``searched``; a hint is then often wrong, and a client can make it so.
  private var slotsByID: [Int32: Int]?
  private static let searched = 128
  /// For each value of the lowest bits of an id, the slot of the call with such an id that was opened last.
  private var hints = [UInt16](repeating: 0, count: hintCount)
  private static let hintCount = 64
  /// The number of streams that are open in nghttp2.
  private(set) var openCount = 0
  /// The highest stream id of a request that nghttp2 has reported.
  private(set) var newest: Int32 = 0

  /// The call of a stream begins, with buffers that are empty. Returns its slot.
  mutating func open(_ id: Int32, memory: consuming StreamMemory, maxHeaderListSize: Int) -> Int {
    openCount += 1
    newest = max(newest, id)
    let slot: Int
    if let unused = free.popLast() {
      slot = unused
      slots[slot] = StreamState(id, memory: memory, maxHeaderListSize: maxHeaderListSize)
      ids[slot] = id
    } else {
      slot = slots.count
      slots.append(StreamState(id, memory: memory, maxHeaderListSize: maxHeaderListSize))
      ids.append(id)
    }
    hints[Self.hint(id)] = UInt16(truncatingIfNeeded: slot)
    slotsByID?[id] = slot
    if slotsByID == nil, ids.count > Self.searched {
      slotsByID = Dictionary(uniqueKeysWithValues: zip(ids, ids.indices).filter { $0.0 != 0 })
    }
    return slot
  }

  /// Records a refused request, which has no slot.
  mutating func refused(_ id: Int32) { newest = max(newest, id) }

  /// Records that nghttp2 has closed a stream.
  mutating func closed() { openCount -= 1 }

  /// Removes the call in `slot`.
  mutating func remove(_ slot: Int) {
    slotsByID?[ids[slot]] = nil
    ids[slot] = 0
    free.append(slot)
  }

  /// Clients' streams have odd ids (RFC 9113 §5.1.1).
  private static func hint(_ id: Int32) -> Int { Int(id >> 1) & (hintCount - 1) }

  /// The slot of a call that is not forgotten. There are as many as a connection may have streams, and tasks.
  func find(_ id: Int32) -> Int? {
    guard id > 0 else { return nil }
    let hinted = Int(hints[Self.hint(id)])
    if hinted < ids.count, ids[hinted] == id { return hinted }
    return if let slotsByID { slotsByID[id] } else { ids.firstIndex(of: id) }
  }

  /// Whether the stream is open and the last frame of its response has not been sent.
  func isUnanswered(_ id: Int32) -> Bool {
    guard let slot = find(id), slots[slot].life != .closed else { return false }
    return !slots[slot].response.hasEnded
  }

  /// Whether the stream is open in nghttp2.
  func isOpen(_ id: Int32) -> Bool {
    guard let slot = find(id) else { return false }
    return slots[slot].life != .closed
  }

  /// The slots of calls with open streams.
  var openSlots: [Int] { ids.indices.filter { ids[$0] != 0 && slots[$0].life != .closed } }

  /// Releases the memory of the slots if none is in use.
  mutating func giveBackMemory() {
    guard free.count == slots.count else { return }
    (ids, slots, free, slotsByID) = ([], [], [], nil)
  }
}
