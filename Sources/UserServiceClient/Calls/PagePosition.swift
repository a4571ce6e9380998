import AsyncAlgorithms
import GRPCCore
import Synchronization

/// The position of a listing, kept from one attempt to the next, and the pages that it hands to the application.
final class PagePosition<Element: Sendable>: Sendable {
  private let pages: ResponseStream<Element>.Pages
  private let current: Mutex<String>

  /// Creates the position after `pageToken`, or before the first page if that is empty.
  init(_ pages: ResponseStream<Element>.Pages, from pageToken: String = "") {
    self.pages = pages
    current = Mutex(pageToken)
  }

  /// The page token of the last page that was handed over, at first that of the beginning.
  var token: String { current.withLock { $0 } }

  /// Hands over the pages of an attempt, each when its last message, which has a page token, has arrived. `convert`
  /// returns the element and the page token of a message.
  ///
  /// - Throws: the errors of `messages`, and `CancellationError`.
  func receive<Message>(
    _ messages: RPCAsyncSequence<Message, any Error>, _ attempt: Caller.Attempt, _ idle: IdleLimit,
    _ convert: (Message) -> (element: Element, pageToken: String)
  ) async throws {
    var page: [Element] = []
    for try await message in messages {
      idle.restart()
      let (element, pageToken) = convert(message)
      page.append(element)
      if pageToken.isEmpty { continue }
      try idle.pause()
      await pages.send(page)
      current.withLock { $0 = pageToken }
      attempt.progress.note()
      page = []
      idle.restart()
      try Task.checkCancellation()
    }
    // The service ends each page, including the last, with a token.
    if !page.isEmpty { await pages.send(page) }
  }
}
