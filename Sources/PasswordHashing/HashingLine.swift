import DequeModule
import UserDomain

/// A queue of waiting hashes, served round robin by caller. A value.
///
/// Each caller's hashes keep their order. A new caller has its first turn after one hash of each other caller.
struct HashingLine {
  typealias Caller = HashRequester.Caller
  typealias Job = HashingQueue.Job

  private var jobs: [Caller: Deque<Job>] = [:]
  /// The callers in `jobs`, each once, in the order of their turns. None has an empty list.
  private var turns: Deque<Caller> = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// The next hash.
  var first: Job? { turns.first.flatMap { jobs[$0]?.first } }

  /// The number of hashes of `caller`.
  func count(of caller: Caller) -> Int { jobs[caller]?.count ?? 0 }

  mutating func append(_ job: Job) {
    let caller = job.requester.caller
    if jobs[caller] == nil { turns.append(caller) }
    jobs[caller, default: []].append(job)
    count += 1
  }

  /// Removes the next hash, and moves its caller to the end.
  mutating func removeFirst() -> Job? {
    guard let caller = turns.first, let job = jobs[caller]?.first else { return nil }
    turns.removeFirst()
    turns.append(caller)
    remove(at: 0, of: caller)
    return job
  }

  /// Removes a hash, whose caller keeps its turn. Returns false if it is not in the queue.
  mutating func remove(_ id: UInt64) -> Bool {
    for (caller, waiting) in jobs {
      guard let index = waiting.firstIndex(where: { $0.id == id }) else { continue }
      remove(at: index, of: caller)
      return true
    }
    return false
  }

  /// The caller with the most hashes; of several, the one whose turn comes last.
  var longest: (caller: Caller, count: Int)? {
    var longest: (caller: Caller, count: Int)?
    for caller in turns {
      let count = count(of: caller)
      if count >= longest?.count ?? 0 { longest = (caller, count) }
    }
    return longest
  }

  /// Removes the latest hash of `caller`.
  mutating func removeLast(of caller: Caller) -> Job? {
    guard let job = jobs[caller]?.last else { return nil }
    remove(at: count(of: caller) - 1, of: caller)
    return job
  }

  private mutating func remove(at index: Int, of caller: Caller) {
    jobs[caller]?.remove(at: index)
    count -= 1
    if jobs[caller]?.isEmpty == true {
      jobs[caller] = nil
      turns.removeAll { $0 == caller }
    }
  }
}
