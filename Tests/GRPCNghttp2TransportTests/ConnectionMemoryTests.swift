import Testing

@testable import GRPCNghttp2Transport

@Suite struct ConnectionMemoryTests {
  private func memory(limit: Int = 1_000_000, budget: MemoryBudget) -> ConnectionMemory {
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.maxConnectionMemory = limit
    configuration.connectionWriteBufferSize = 1_000
    return ConnectionMemory(configuration, largestMessage: 1_000, budget: budget)
  }

  @Test("a connection's calls may hold the limit, or at least four of the largest messages")
  func limit() {
    var memory = memory(limit: 10_000, budget: MemoryBudget(limit: .max))
    #expect(memory.hasRoom(for: 10_000) && !memory.hasRoom(for: 10_001))
    memory.change(by: 9_000)
    #expect(memory.hasRoom(for: 1_000) && !memory.hasRoom(for: 1_001))
    memory.change(by: -9_000)
    #expect(memory.hasRoom(for: 10_000))
    #expect(self.memory(limit: 1, budget: MemoryBudget(limit: .max)).hasRoom(for: 4_000))
  }

  @Test("queued and expected output fill the connection's buffer")
  func sending() {
    var memory = memory(budget: MemoryBudget(limit: .max))
    memory.unsent = 600
    memory.expect(400)
    #expect(!memory.isSendingFull && memory.sendRoom == 0)
    memory.expect(1)
    #expect(memory.isSendingFull)
    memory.expect(-401)
    #expect(!memory.isSendingFull)
  }

  @Test("a connection that holds little does not use the process's budget")
  func share() {
    let budget = MemoryBudget(limit: 0)
    var memory = memory(budget: budget)
    memory.change(by: ConnectionMemory.share)
    memory.balance()
    #expect(!memory.mustRefuse && budget.inUse == 0)
    memory.unread = 1
    memory.balance()
    #expect(memory.mustRefuse && !memory.hasRoom(for: 0))
    memory.unread = 0
    memory.balance()
    #expect(!memory.mustRefuse && budget.inUse == 0)
  }

  @Test("connections share the process's budget, and return what they do not need")
  func process() {
    let budget = MemoryBudget(limit: 2 * ConnectionMemory.piece)
    var (first, second) = (memory(budget: budget), memory(budget: budget))
    first.change(by: ConnectionMemory.share + ConnectionMemory.piece + 1)
    first.balance()
    #expect(!first.mustRefuse && budget.inUse == 2 * ConnectionMemory.piece)
    second.change(by: ConnectionMemory.share + 1)
    second.balance()
    #expect(second.mustRefuse)
    first.change(by: -first.calls)
    first.balance()
    second.balance()
    #expect(!second.mustRefuse && budget.inUse == ConnectionMemory.piece)
    second.release()
    #expect(budget.inUse == 0)
  }
}
