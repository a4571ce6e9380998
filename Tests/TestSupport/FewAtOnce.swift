import Foundation
public import Testing

/// Bounds how many of the tests that carry it run at once, in whatever suites they are.
///
/// A test of this kind starts processes and talks to them, and all of a program's tests share as many threads as there are
/// cores. Dozens at once starve the event loops of their own clients, which then give a connection up after ten seconds.
///
/// Swift Testing counts the wait for a turn as part of a test's time. What the test itself took is written to the file that
/// the environment names as `TEST_DURATIONS`, a line for each test case: seconds, a space, the test's name.
public struct FewAtOnce: TestTrait, SuiteTrait, TestScoping {
  fileprivate static let most = 4
  private static let turns = Turns(most)

  fileprivate let turns: Int

  public var isRecursive: Bool { true }

  @concurrent public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    // A suite is only the sum of its tests, which take their turns themselves.
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
    // The id is SUITE/FUNCTION/PLACE.
    let name = "\(test.id)".split(separator: "/").prefix(2).joined(separator: ".")
    let line = Data("\(duration / .seconds(1)) \(name)\n".utf8)
    let descriptor = open(durations, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    // A duration that is not told fails no test.
    guard descriptor >= 0 else { return }
    _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }
}

extension Trait where Self == FewAtOnce {
  /// At most four tests that carry this trait run at once.
  public static var fewAtOnce: Self { FewAtOnce(turns: 1) }

  /// No other test that carries this trait or `fewAtOnce` runs at the same time.
  public static var alone: Self { FewAtOnce(turns: FewAtOnce.most) }
}

/// A number of turns, given in the order in which they were asked for.
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
