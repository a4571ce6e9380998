import Foundation
public import Testing

/// Limits how many tests with this trait run at once, across all suites.
///
/// Such a test starts processes and talks to them, and all tests of a program share as many threads as there are cores.
/// Dozens at once starve the event loops of their own clients, whose connections then time out after ten seconds.
///
/// Swift Testing counts the wait for a turn as part of a test's time. The test's own time is appended to the file named
/// by the environment variable `TEST_DURATIONS`, a line per test case: seconds, a space, the test's name.
public struct FewAtOnce: TestTrait, SuiteTrait, TestScoping {
  fileprivate static let most = 4
  private static let turns = Turns(most)

  fileprivate let turns: Int

  public var isRecursive: Bool { true }

  @concurrent public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    // A suite only contains its tests, which take their own turns.
    guard testCase != nil else { return try await function() }
    await Self.turns.take(turns)
    let begin = ContinuousClock.now
    defer { Self.note(.now - begin, of: test) }
    do {
      try await function()
    } catch {
      await Self.turns.give(turns)
      throw error
    }
    await Self.turns.give(turns)
  }
}

extension FewAtOnce {
  private static let durations = ProcessInfo.processInfo.environment["TEST_DURATIONS"]

  private static func note(_ duration: Duration, of test: Test) {
    guard let durations else { return }
    // The id has the form SUITE/FUNCTION/PLACE.
    let name = "\(test.id)".split(separator: "/").prefix(2).joined(separator: ".")
    let line = Data("\(duration / .seconds(1)) \(name)\n".utf8)
    let descriptor = open(durations, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    // A duration that cannot be recorded fails no test.
    guard descriptor >= 0 else { return }
    _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }
}

extension Trait where Self == FewAtOnce {
  /// At most four tests with this trait run at once.
  public static var fewAtOnce: Self { FewAtOnce(turns: 1) }

  /// No other test with this trait or `fewAtOnce` runs at the same time.
  public static var alone: Self { FewAtOnce(turns: FewAtOnce.most) }
}

/// A number of turns, granted in the order of the requests.
private actor Turns {
  private var free: Int
  private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

  init(_ count: Int) { free = count }

  func take(_ count: Int) async {
    if waiting.isEmpty, count <= free {
      free -= count
    } else {
      await withCheckedContinuation { waiting.append((count, $0)) }
    }
  }

  func give(_ count: Int) {
    free += count
    while let next = waiting.first, next.count <= free {
      free -= next.count
      waiting.removeFirst().continuation.resume()
    }
  }
}
