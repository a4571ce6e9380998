import AsyncAlgorithms
import Synchronization

/// Users that arrive one after another.
public typealias UserStream = ResponseStream<User>

/// Responses that arrive one after another. The call begins with the iteration and is cancelled when the iteration stops.
///
/// The client buffers one page and the contents of the connection's flow-control window, so a slow reader slows the
/// service down.
public struct ResponseStream<Element: Sendable>: AsyncSequence, Sendable {
  public typealias Failure = UserServiceError

  typealias Pages = AsyncThrowingChannel<[Element], any Error>

  let calls: RunningCalls
  let run: @Sendable (Pages) async throws(UserServiceError) -> Void

  /// Starts the call.
  public func makeAsyncIterator() -> Iterator {
    Iterator(call: RunningCall(calls, run))
  }

  /// The responses, in order.
  public struct Iterator: AsyncIteratorProtocol {
    private let call: RunningCall<Element>
    private var pages: Pages.Iterator
    private var page: [Element] = []
    private var position = 0

    fileprivate init(call: RunningCall<Element>) {
      self.call = call
      pages = call.pages.makeAsyncIterator()
    }

    /// Returns the next response, or nil after the last.
    ///
    /// - Throws: `UserServiceError`; `cancelled` when the task is cancelled.
    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async throws(UserServiceError) -> Element? {
      while position == page.count {
        do {
          guard let next = try await pages.next(isolation: actor) else {
            if Task.isCancelled { throw UserServiceError.cancelled }
            return nil
          }
          (page, position) = (next, 0)
        } catch {
          // `run` throws only these errors.
          throw error as? UserServiceError ?? .cancelled
        }
      }
      defer { position += 1 }
      return page[position]
    }

    /// Equivalent to ``next(isolation:)`` without an isolation.
    public mutating func next() async throws(UserServiceError) -> Element? { try await next(isolation: nil) }
  }
}

/// The task of a call that is being iterated, cancelled when the iterator is released.
private final class RunningCall<Element: Sendable>: Sendable {
  let pages = ResponseStream<Element>.Pages()
  private let task: Task<Void, Never>

  init(
    _ calls: RunningCalls,
    _ run: @escaping @Sendable (ResponseStream<Element>.Pages) async throws(UserServiceError) -> Void
  ) {
    task = Task { [pages] in
      do throws(UserServiceError) {
        try await run(pages)
        pages.finish()
      } catch {
        pages.fail(error)
      }
    }
    calls.add(task)
  }

  deinit {
    task.cancel()
  }
}
