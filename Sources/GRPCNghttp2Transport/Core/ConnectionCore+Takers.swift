import GRPCCore
import NIOCore

/// Calls whose messages an inline method takes. A task runs only while there are messages to process.
extension ConnectionCore {
  /// Records that the inline method takes the messages of the call; the header fields are dropped.
  mutating func taken(_ id: Int32) {
    guard let slot = streams.find(id) else { return }
    streams.slots[slot].stage = .taken(isBusy: false)
    streams.slots[slot].headIsDelivered = true
    streams.slots[slot].dropHead()
    settle(slot)
    // Like GRPCCore's handlers, for clients that wait for headers before they send messages.
    if streams.slots[slot].method?.answersEachMessage ?? false {
      streams.slots[slot].response.metadata([:])
      submit(slot)
    }
    push(.taskFreed(id))
  }

  /// Starts a task for the available messages or for waiting work, unless one runs or the client has to read first.
  /// Without a message, the client is awaited.
  mutating func takeRequests(_ slot: Int) -> ConnectionAction? {
    streams.slots[slot].notes.remove(.task)
    guard case .taken(isBusy: false) = streams.slots[slot].stage, !streams.slots[slot].response.hasStatus,
      !streams.slots[slot].hasEnded, !streams.slots[slot].notes.contains(.room)
    else { return nil }
    if !streams.slots[slot].hasPart {
      streams.slots[slot].giveBackMemory()
      awaitRequest(slot)
    }
    // From here the message waits for the server, so the receive time-out stops.
    updateReceiveTime(slot)
    // The received bytes may exceed the memory limit.
    guard streams.slots[slot].hasPart || streams.slots[slot].notes.contains(.work) else { return nil }
    if isFull(slot) {
      waitToSend(slot)
      return nil
    }
    let othersRun = takers > 0
    if !memory.hasRoom(forTask: StreamAccount.taker, othersRun: othersRun) {
      if othersRun {
        waitForTask(slot)
        return nil
      }
      failRequest(slot, error(.connectionIsFull))
    }
    streams.slots[slot].stage = .taken(isBusy: true)
    streams.slots[slot].notes.remove(.work)
    takers += 1
    tasks += 1
    settle(slot)
    updateReceiveTime(slot)
    return .startTaker(streams.slots[slot].id)
  }

  /// Records that the method has work to do without another message.
  mutating func workIsWaiting(_ id: Int32) {
    guard let slot = streams.find(id), streams.slots[slot].notes.insert(.work).inserted else { return }
    push(.taskFreed(id))
  }

  /// Whether the call's response is not complete.
  func isOpen(_ id: Int32) -> Bool {
    guard let slot = streams.find(id) else { return false }
    return !streams.slots[slot].hasEnded && !streams.slots[slot].response.hasStatus
  }

  /// Returns the next part for the task that takes messages, or nil if the task has to end for now.
  mutating func takeNext(_ id: Int32) -> RequestReading? {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded, !streams.slots[slot].response.hasStatus,
      !isFull(slot)
    else { return nil }
    return takePart(slot)
  }

  /// Records that the task that takes messages has ended; `hasConcluded` states whether the method has ended the
  /// call. Returns whether the method will receive more messages.
  mutating func takerEnded(_ id: Int32, hasConcluded: Bool) -> Bool {
    guard let slot = streams.find(id) else { return false }
    takers -= 1
    let goesOn: Bool
    if case .live = streams.slots[slot].life {
      goesOn = !hasConcluded && !streams.slots[slot].response.hasStatus
    } else {
      goesOn = false
    }
    streams.slots[slot].stage = goesOn ? .taken(isBusy: false) : .done
    if goesOn { push(.taskFreed(id)) }
    taskEnded(id)
    return goesOn
  }

  /// Queues the call until a task ends and releases its memory.
  private mutating func waitForTask(_ slot: Int) {
    guard streams.slots[slot].notes.insert(.task).inserted else { return }
    waitingForTasks.append(streams.slots[slot].id)
  }

  /// Resumes the calls that wait for tasks to end. Those without room wait again.
  mutating func resumeWaitingForTasks() {
    guard !waitingForTasks.isEmpty else { return }
    for id in exchange(&waitingForTasks, with: []) { push(.taskFreed(id)) }
  }
}
