import GRPCCore
import NIOCore

/// Calls whose messages an inline method takes: a task runs only while there are messages to work on.
extension ConnectionCore {
  /// The inline method takes the messages of the call, of which nothing of its headers is kept.
  mutating func taken(_ id: Int32) {
    guard let slot = streams.find(id) else { return }
    streams[slot].stage = .taken(isBusy: false)
    streams[slot].headIsDelivered = true
    streams[slot].dropHead()
    settle(slot)
    // As GRPCCore's handlers do, for clients that wait for headers before they send messages.
    if streams[slot].method?.answersEachMessage ?? false {
      streams[slot].response.metadata([:])
      submit(slot)
    }
    push(.taskCame(id))
  }

  /// Has a task take what there is, unless one does already, or the client has to read first. If there is nothing, the client
  /// is waited for.
  mutating func takeRequests(_ slot: Int) -> ConnectionAction? {
    streams[slot].notes.remove(.task)
    guard case .taken(isBusy: false) = streams[slot].stage, !streams[slot].response.hasStatus,
      !streams[slot].isOver, !streams[slot].notes.contains(.room)
    else { return nil }
    if !streams[slot].hasPart {
      streams[slot].giveBackMemory()
      awaitRequest(slot)
    }
    // Whatever a message that has come waits for now, it is not the client.
    updateReceiveTime(slot)
    // What has come of one may be too much.
    guard streams[slot].hasPart else { return nil }
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
    streams[slot].stage = .taken(isBusy: true)
    takers += 1
    tasks += 1
    settle(slot)
    updateReceiveTime(slot)
    return .startTaker(streams[slot].id)
  }

  /// What the task that takes messages gets next; nil if it has to end for now.
  mutating func takeNext(_ id: Int32) -> RequestReading? {
    guard let slot = streams.find(id), !streams[slot].isOver, !streams[slot].response.hasStatus,
      !isFull(slot)
    else { return nil }
    return takePart(slot)
  }

  /// The task that takes messages has ended; `hasConcluded` tells whether the method has ended the call. Returns whether the
  /// method is going to be given more.
  mutating func takerEnded(_ id: Int32, hasConcluded: Bool) -> Bool {
    guard let slot = streams.find(id) else { return false }
    takers -= 1
    let goesOn: Bool
    if case .live = streams[slot].life {
      goesOn = !hasConcluded && !streams[slot].response.hasStatus
    } else {
      goesOn = false
    }
    streams[slot].stage = goesOn ? .taken(isBusy: false) : .done
    if goesOn { push(.taskCame(id)) }
    taskEnded(id)
    return goesOn
  }

  /// The call goes on once a task has ended, and so given back its memory.
  private mutating func waitForTask(_ slot: Int) {
    guard streams[slot].notes.insert(.task).inserted else { return }
    waitingForTasks.append(streams[slot].id)
  }

  /// Lets the calls go on that wait for tasks' ends. Those for which there is still no room wait again.
  mutating func resumeWaitingForTasks() {
    guard !waitingForTasks.isEmpty else { return }
    for id in exchange(&waitingForTasks, with: []) { push(.taskCame(id)) }
  }
}
