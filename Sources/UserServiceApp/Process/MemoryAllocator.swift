#if JEMALLOC
  import CJemalloc
#endif

/// jemalloc (jemalloc.net), which takes the place of the C library's allocator in programs that link this module.
///
/// A thread's cache there has room for the objects of hundreds of calls. The C library's has room for seven of a size, so
/// that a batch of calls takes its locks and joins and splits its blocks.
enum MemoryAllocator {
  #if JEMALLOC
    /// How long unused memory is kept before the system gets it back, in milliseconds. Memory in use under a steady load is
    /// used again sooner.
    private static let decay = 200

    /// Starts jemalloc's background threads, which return unused memory to the system a fifth of a second after its
    /// release. Without them a thread returns memory only when it next allocates or releases some: an idle service would
    /// keep the memory of its last load.
    ///
    /// False if a setting is unknown to this version, or the system has no thread for it.
    static let returnsUnusedMemory: Bool = {
      let isSet = set("arenas.dirty_decay_ms", decay)
      // Of the arenas that exist. The others, which have no settings yet, begin with the one above.
      for arena in 0..<arenas { set("arena.\(arena).dirty_decay_ms", decay) }
      return set("background_thread", true) && isSet
    }()

    /// The number of arenas, most of which begin to exist with the threads that use them.
    private static var arenas: UInt32 {
      var count: UInt32 = 0
      var size = MemoryLayout<UInt32>.size
      return mallctl("arenas.narenas", &count, &size, nil, 0) == 0 ? count : 0
    }

    @discardableResult
    private static func set<Value: BitwiseCopyable>(_ name: String, _ value: Value) -> Bool {
      var value = value
      return mallctl(name, nil, nil, &value, MemoryLayout<Value>.size) == 0
    }
  #else
    /// A sanitizer has an allocator of its own.
    static let returnsUnusedMemory = true
  #endif
}
