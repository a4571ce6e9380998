/// The resources that the connections of an event loop share.
///
/// `@unchecked Sendable`: `executor` may be used on any thread; everything else is used only on its loop.
final class LoopResources: @unchecked Sendable {
  let executor: EventLoopTaskExecutor
  let streamMemory = StreamMemoryPool()
  let output = OutputBuffer()
  /// Compresses the responses of all connections of the loop.
  let deflater = Deflater()

  init(executor: EventLoopTaskExecutor) {
    self.executor = executor
  }
}
