import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing

@testable import GRPCNghttp2Transport

/// What the connections of an event loop share.
@Suite struct LoopTests {
  @Test("connections flush once a turn, in their order, and those that want to at once again after a pause")
  func flushes() {
    let loop = EmbeddedEventLoop()
    let executor = EventLoopTaskExecutor(loop: loop)
    let order = Mutex<[Int]>([])
    executor.flushLater { order.withLock { $0.append(1) } }
    executor.flushLater { order.withLock { $0.append(2) } }
    #expect(order.withLock { $0 } == [])
    loop.run()
    #expect(order.withLock { $0 } == [1, 2])
    let count = Atomic(0)
    func again() {
      count.add(1, ordering: .relaxed)
      executor.flushLater(again)
    }
    executor.flushLater(again)
    loop.run()
    let first = count.load(ordering: .relaxed)
    #expect(first == 4)
    loop.advanceTime(by: .microseconds(99))
    #expect(count.load(ordering: .relaxed) == first)
    loop.advanceTime(by: .microseconds(1))
    #expect(count.load(ordering: .relaxed) == 2 * first)
  }

  @Test("a handler that has had the loop for a slice yields until no call has begun for a moment")
  func fairShare() {
    let loop = EmbeddedEventLoop()
    let executor = EventLoopTaskExecutor(loop: loop)
    let isDone = Atomic(false)
    executor.fairShare.beginSlice()
    #expect(!executor.fairShare.hasUsedSlice)
    loop.advanceTime(by: .microseconds(251))
    #expect(executor.fairShare.hasUsedSlice)
    _ = Task.immediate(executorPreference: executor) {
      if executor.fairShare.hasUsedSlice { await executor.fairShare.yield() }
      isDone.store(true, ordering: .relaxed)
    }
    loop.run()
    #expect(isDone.load(ordering: .relaxed) == false)
    executor.fairShare.callBegan()
    loop.advanceTime(by: LongRunners.pause)
    #expect(isDone.load(ordering: .relaxed) == false)
    loop.advanceTime(by: LongRunners.pause)
    loop.run()
    #expect(isDone.load(ordering: .relaxed) == true)
  }

  @Test("tasks run on the loop, whatever thread makes them ready, and come back to it")
  func jobs() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let executor = EventLoopTaskExecutor(loop: loop)
    let isOnLoop = await Task(executorPreference: executor) {
      let before = loop.inEventLoop
      await Task.detached {}.value
      await executor.comeBack()
      return before && loop.inEventLoop
    }.value
    #expect(isOnLoop && !executor.isCurrent && !executor.fairShare.hasUsedSlice)
    await withCheckedContinuation { continuation in
      executor.run {
        executor.run { continuation.resume() }
      }
    }
  }

  @Test("buffers of calls are used again, empty, unless they are large or were never used")
  func streamMemory() {
    let pool = StreamMemoryPool()
    pool.giveBack(StreamMemory())
    #expect(pool.take().response.capacity == 0)
    var memory = pool.take()
    memory.response = ByteQueue(Array("secret".utf8))
    memory.request = ByteQueue(Array("secret".utf8))
    pool.giveBack(memory)
    let recycled = pool.take()
    #expect(recycled.response.capacity > 0 && recycled.response.isEmpty)
    #expect(recycled.request.isEmpty && pool.take().response.capacity == 0)
    memory.request = ByteQueue([UInt8](repeating: 0, count: 5_000))
    pool.giveBack(memory)
    #expect(pool.take().response.capacity == 0)
  }

  @Test("what a loop recycles is released with its last connection")
  func lastConnection() {
    let resources = LoopResources(
      executor: EventLoopTaskExecutor(loop: MultiThreadedEventLoopGroup.singleton.any()))
    for _ in 0..<2 { resources.connectionBegan() }
    var memory = StreamMemory()
    memory.response = ByteQueue([1])
    resources.streamMemory.giveBack(memory)
    resources.output.giveBack(ByteBuffer(repeating: 0, count: 100))
    resources.connectionEnded()
    let (kept, output) = (resources.streamMemory.take(), resources.output.take())
    #expect(kept.response.capacity > 0 && output.capacity > 0)
    resources.streamMemory.giveBack(kept)
    resources.output.giveBack(output)
    resources.connectionEnded()
    #expect(resources.streamMemory.take().response.capacity == 0 && resources.output.take().capacity == 0)
  }

  @Test("the buffer of a batch serves the next one, unless it is large")
  func outputBuffer() {
    let buffer = OutputBuffer()
    buffer.giveBack(ByteBuffer(repeating: 0, count: 100))
    #expect(buffer.take().capacity >= 100 && buffer.take().capacity == 0)
    buffer.giveBack(ByteBuffer(repeating: 0, count: 1_024 * 1_024))
    #expect(buffer.take().capacity == 0)
  }
}
