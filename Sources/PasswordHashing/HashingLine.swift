import DequeModule
import UserDomain

/// Hashes that wait, served round robin by caller. A value.
///
/// A caller's own hashes keep their order. A caller that comes newly has its first turn after one of each of the others.
struct HashingLine {
  typealias Caller = HashRequester.Caller
  typealias Job = HashingQueue.Job

  private var jobs: [Caller: Deque<Job>] = [:]
  /// The callers in `jobs`, each once, in the order of their turns. None of them has an empty list.
  private var turns: Deque<Caller> = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// The hash whose turn it is.
  var first: Job? { turns.first.flatMap { jobs[$0]?.first } }

  /// The number of hashes of `caller`.
  func count(of caller: Caller) -> Int { jobs[caller]?.count ?? 0 }

  mutating func append(_ job: Job) {
    let caller = job.requester.caller
    if jobs[caller] == nil { turns.append(caller) }
    jobs[caller, default: []].append(job)
    count += 1
  }

  /// Takes the hash whose turn it is, and moves its caller to the end.
  mutating func removeFirst() -> Job? {
    guard let caller = turns.first, let job = jobs[caller]?.first else { return nil }
    turns.removeFirst()
    turns.append(caller)
    remove(at: 0, of: caller)
    return job
  }

  /// Takes that hash out, whose caller keeps its turn. Returns false if it does not wait here.
  mutating func remove(_ id: UInt64) -> Bool {
    for (caller, waiting) in jobs {
      guard let index = waiting.firstIndex(where: { $0.id == id }) else { continue }
      remove(at: index, of: caller)
      return true
    }
    return false
  }

  /// The caller with the most hashes, and of several the one whose turn comes last.
  var longest: (caller: Caller, count: Int)? {
    var longest: (caller: Caller, count: Int)?
    for caller in turns {
      let count = count(of: caller)
      if count >= longest?.count ?? 0 { longest = (caller, count) }
    }
    return longest
  }

  /// Takes out the hash of `caller` that came last.
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
