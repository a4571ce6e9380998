import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

/// Compares the core with a simple model over random orders of events.
@Suite struct RandomEventsTests {
  /// The expected state of a call.
  private struct ModelCall {
    let path: CoreDriver.Path
    /// The messages that the client has sent, and those that the handler has read.
    var sent: [String] = []
    var read: [String] = []
    var hasEnded = false
    var isReset = false
    var hasTask = false
    var isWaiting = false
    var hasFinished = false
    var written: [UInt8] = []
    var frames: [String] = []
  }

  private struct Run {
    var random: SplitMix
    var driver = CoreDriver {
      $0.maxConcurrentStreams = 6
      $0.writeBufferSize = 2_000
      $0.connectionWriteBufferSize = 5_000
      $0.maxConnectionMemory = 150_000
      $0.maxReceiveMessageSize = 10_000
    }
    var calls: [Int32: ModelCall] = [:]
    var next: Int32 = 1
    /// The window that the client has used, and that was returned.
    var used = 0
    var returned = 0

    init(seed: UInt64) {
      random = SplitMix(state: seed)
      driver.clientWindow = 0
    }

    mutating func step() throws {
      switch Int.random(in: 0..<12, using: &random) {
      case 0, 1: openCall()
      case 2, 3, 4: sendMessage()
      case 5: endRequest()
      case 6, 7: read()
      case 8, 9: try write()
      case 10: finish()
      default: resetOne()
      }
      if Bool.random(using: &random) { driver.clientWindow = Int.random(in: 0...8_000, using: &random) }
      if Int.random(in: 0..<20, using: &random) == 0 {
        driver.pass(.milliseconds(Int64.random(in: 0...900, using: &random)))
      }
      if Bool.random(using: &random) { settle() }
    }

    private mutating func pick(_ isFit: (ModelCall) -> Bool) -> Int32? {
      calls.filter { isFit($0.value) }.keys.sorted().randomElement(using: &random)
    }

    private mutating func openCall() {
      let path = [CoreDriver.Path.unary, .list, .upload, .talk].randomElement(using: &random)!
      calls[next] = ModelCall(path: path)
      driver.open(next, path)
      next += 2
    }

    private mutating func sendMessage() {
      guard
        let id = pick({ call in
          !call.hasEnded && !call.isReset && (call.path == .upload || call.path == .talk || call.sent.isEmpty)
        }), driver.open[id] != nil
      else { return }
      let text =
        String(repeating: "m", count: Int.random(in: 0...1_500, using: &random)) + "\(calls[id]!.sent.count)"
      var bytes = CoreDriver.messages(text)[...]
      used += bytes.count
      while !bytes.isEmpty {
        let part = bytes.prefix(Int.random(in: 1...bytes.count, using: &random))
        driver.data(id, Array(part))
        bytes = bytes.dropFirst(part.count)
      }
      calls[id]!.sent.append(text)
    }

    private mutating func endRequest() {
      guard let id = pick({ !$0.hasEnded && !$0.isReset && !$0.sent.isEmpty }), driver.open[id] == false
      else { return }
      calls[id]!.hasEnded = true
      driver.data(id, [], ended: true)
    }

    private mutating func read() {
      guard let id = pick({ $0.hasTask && !$0.isWaiting && !$0.hasFinished }) else { return }
      let text = driver.read(id)
      if text == "wait" { calls[id]!.isWaiting = true } else { got(id, text) }
    }

    /// Records a part that a handler has read.
    private mutating func got(_ id: Int32, _ text: String) {
      if text.hasPrefix("m") && text != "metadata" || text.allSatisfy(\.isNumber) {
        calls[id]!.read.append(text)
      }
      if text == "callEnded" { #expect(calls[id]!.isReset || driver.open[id] == nil) }
      if text == "end" { #expect(calls[id]!.hasEnded && calls[id]!.read == calls[id]!.sent) }
      #expect(!text.hasPrefix("failure"), "\(text)")
    }

    private mutating func write() throws {
      guard let id = pick({ $0.hasTask && !$0.hasFinished && !$0.isReset }), driver.open[id] != nil,
        driver.core.room(id) == .free
      else { return }
      let text = String(repeating: "w", count: Int.random(in: 0...900, using: &random))
      _ = try driver.write(id, text)
      calls[id]!.written += CoreDriver.messages(text)
    }

    private mutating func finish() {
      guard let id = pick({ $0.hasTask && !$0.isWaiting && !$0.hasFinished }) else { return }
      calls[id]!.hasFinished = true
      driver.finish(id)
    }

    private mutating func resetOne() {
      guard let id = pick({ !$0.isReset }), driver.open[id] != nil, Bool.random(using: &random) else {
        return
      }
      calls[id]!.isReset = true
      driver.close(id)
    }

    /// Performs all actions, and compares them with the model.
    mutating func settle() {
      for action in driver.done() {
        let words = action.split(separator: " ", maxSplits: 2).map(String.init)
        if words[0] == "window" {
          if words.count == 2 { returned += Int(words[1])! }
          continue
        }
        guard let id = words.dropFirst().compactMap({ Int32($0) }).first ?? words.last.flatMap({ Int32($0) })
        else { continue }
        #expect(calls[id] != nil, "\(action)")
        switch words[0] {
        case "startHandler":
          #expect(
            !calls[id]!.hasTask
              && (calls[id]!.hasEnded || calls[id]!.path == .upload || calls[id]!.path == .talk))
          calls[id]!.hasTask = true
        case "resumeReader":
          #expect(calls[id]!.isWaiting, "\(action)")
          calls[id]!.isWaiting = false
          got(id, words[2])
        case "closed":
          if calls[id]!.isWaiting { calls[id]!.isWaiting = false }
          calls[id]!.isReset = true
        case "headers", "submitData", "trailers", "trailersOnly", "reset": calls[id]!.frames.append(words[0])
        default: break
        }
      }
      #expect(driver.core.streams.openCount == driver.open.count)
      #expect(driver.core.tasks == calls.values.count { $0.hasTask && !$0.hasFinished })
      #expect(returned <= used)
    }

    /// Ends everything and checks that nothing is held.
    mutating func end() {
      driver.clientWindow = nil
      settle()
      for id in calls.keys.sorted() {
        if calls[id]!.hasTask, !calls[id]!.hasFinished {
          _ = driver.core.stopAwaitingPart(id)
          calls[id]!.hasFinished = true
          driver.finish(id)
        }
      }
      settle()
      for id in driver.open.keys.sorted() { driver.close(id) }
      settle()
      for (id, call) in calls.sorted(by: { $0.key < $1.key }) {
        if call.hasTask, !call.hasFinished {
          driver.core.taskEnded(id)
          calls[id]!.hasFinished = true
        }
        // The frames of a response are in order, and occur once except DATA.
        let frames = call.frames.joined(separator: " ")
        #expect(
          frames.wholeMatch(of: /((headers( submitData)*( trailers)?)|trailersOnly)?( ?reset)?/) != nil,
          "\(id): \(frames)")
        // The sent bytes are a prefix of the written ones, and equal to them if the status was sent.
        let sent = driver.sent[id] ?? []
        #expect(call.written.starts(with: sent))
        if call.frames.contains("trailers") { #expect(sent == call.written) }
        #expect(call.sent.starts(with: call.read))
      }
      settle()
      #expect(driver.isMemoryFree && driver.core.tasks == 0 && driver.core.waitingForRoom.isEmpty)
      #expect(returned == used)
    }
  }

  private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  @Test(
    "in any order of events, calls and clients receive what the other side sent, and nothing is held at the end",
    arguments: 0..<200 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var run = Run(seed: seed)
    for _ in 0..<120 { try run.step() }
    run.end()
  }
}
