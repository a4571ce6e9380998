import NIOCore

/// The calls of a connection, each in a slot that it keeps, and that another uses after it.
struct StreamTable {
  private var slots: [StreamState] = []
  /// Slots that no call uses.
  private var free: [Int] = []
  private var slotByID: [Int32: Int] = [:]
  /// The call that was found last: most events are about the same one as the event before.
  private var last = (id: Int32(-1), slot: 0)
  /// Streams that nghttp2 has open.
  private(set) var openCount = 0
  /// The highest id of a request of which nghttp2 has told.
  private(set) var newest: Int32 = 0

  /// A call of the stream `id` begins.
  mutating func open(_ stream: StreamState) -> Int {
    openCount += 1
    newest = max(newest, stream.id)
    let slot: Int
    if let unused = free.popLast() {
      slot = unused
      slots[slot] = stream
    } else {
      slot = slots.count
      slots.append(stream)
    }
    slotByID[stream.id] = slot
    last = (stream.id, slot)
    return slot
  }

  /// A request was refused, and has no slot.
  mutating func refused(_ id: Int32) { newest = max(newest, id) }

  /// nghttp2 has closed a stream.
  mutating func closed() { openCount -= 1 }

  /// The call in `slot` is forgotten.
  mutating func remove(_ slot: Int) {
    slotByID[slots[slot].id] = nil
    last = (-1, 0)
    free.append(slot)
  }

  /// The slot of a call that is not forgotten.
  mutating func find(_ id: Int32) -> Int? {
    if last.id == id { return last.slot }
    guard let slot = slotByID[id] else { return nil }
    last = (id, slot)
    return slot
  }

  subscript(slot: Int) -> StreamState {
    _read { yield slots[slot] }
    _modify { yield &slots[slot] }
  }

  /// Whether the stream is open, and the frame that ends its response has not been sent.
  func isUnanswered(_ id: Int32) -> Bool {
    guard let slot = slotByID[id], slots[slot].life != .closed else { return false }
    return !slots[slot].response.hasEnded
  }

  /// Whether nghttp2 has the stream open.
  func isOpen(_ id: Int32) -> Bool {
    guard let slot = slotByID[id] else { return false }
    return slots[slot].life != .closed
  }

  /// The slots of calls whose streams are open.
  var openSlots: [Int] {
    slotByID.values.filter { slots[$0].life != .closed }.sorted()
  }

  /// Gives back the memory of slots if no call uses one.
  mutating func giveBackMemory() {
    guard slotByID.isEmpty else { return }
    (slots, free, slotByID) = ([], [], [:])
  }
}
