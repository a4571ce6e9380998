/// The resources that the connections of an event loop share. What is recycled is released when the last one ends: a few
/// small objects, left over from a thousand connections, would keep the memory around them.
///
/// `@unchecked Sendable`: `executor` may be used on any thread; everything else is used only on its loop.
final class LoopResources: @unchecked Sendable {
  let executor: EventLoopTaskExecutor
  let streamMemory = StreamMemoryPool()
  let output = OutputBuffer()
  /// Compresses the responses of all connections of the loop.
  let deflater = Deflater()

  private var connections = 0

  init(executor: EventLoopTaskExecutor) {
    self.executor = executor
  }

  /// Records the beginning of a connection.
  func connectionBegan() { connections += 1 }

  /// Records the end of a connection.
  func connectionEnded() {
    connections -= 1
    guard connections == 0 else { return }
    streamMemory.removeAll()
    output.removeAll()
    deflater.removeAll()
  }
}
