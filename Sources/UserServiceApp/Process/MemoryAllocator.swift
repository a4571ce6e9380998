import CJemalloc

/// jemalloc (jemalloc.net), which takes the place of the C library's allocator in programs that link this module.
///
/// A thread's cache there has room for the objects of hundreds of calls. The C library's has room for seven of a size, so
/// that a batch of calls takes its locks and joins and splits its blocks.
enum MemoryAllocator {
  /// Starts jemalloc's background threads, which return unused memory to the system 10 s after its release
  /// (`opt.dirty_decay_ms`). Without them a thread returns memory only when it next allocates or releases some: an idle
  /// service would keep the memory of its last load.
  ///
  /// False if the system has no thread for it.
  static let returnsIdleMemory: Bool = {
    var isOn = true
    return mallctl("background_thread", nil, nil, &isOn, MemoryLayout<Bool>.size) == 0
  }()
}
