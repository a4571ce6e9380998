import Dispatch
import Foundation

/// Cleans up before SIGINT, SIGTERM or SIGHUP ends the process.
final class Interruption {
  private static let signals = [SIGINT, SIGTERM, SIGHUP]

  private let sources: [any DispatchSourceSignal]

  /// Calls `cleanUp` when a signal arrives, which then ends the process as if it had not been caught.
  init(_ cleanUp: @escaping @Sendable () -> Void) {
    sources = Self.signals.map { number in
      // A source does not keep a signal from ending the process.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler {
        cleanUp()
        signal(number, SIG_DFL)
        // To the process, because the threads of sources block signals.
        kill(getpid(), number)
      }
      source.resume()
      return source
    }
  }

  /// Lets signals end the process at once again.
  func end() {
    for source in sources { source.cancel() }
    for number in Self.signals { signal(number, SIG_DFL) }
  }
}
