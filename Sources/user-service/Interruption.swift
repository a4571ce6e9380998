import Dispatch
import Foundation

/// Cleans up before SIGINT, SIGTERM or SIGHUP ends the process. A signal that is ignored, as by `nohup`, stays ignored.
///
/// Only one may exist in a process: Dispatch handles each signal once.
final class Interruption {
  private let sources: [(number: Int32, source: any DispatchSourceSignal)]

  /// Calls `cleanUp` when a signal arrives, which then ends the process as if it had not been caught.
  init(_ cleanUp: @escaping @Sendable () -> Void) {
    sources = [SIGINT, SIGTERM, SIGHUP].compactMap { number in
      // A source does not keep a signal from ending the process.
      let before = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
      if before == unsafeBitCast(SIG_IGN, to: Int.self) { return nil }
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler {
        cleanUp()
        signal(number, SIG_DFL)
        // To the process, because the threads of sources block signals.
        kill(getpid(), number)
      }
      source.resume()
      return (number, source)
    }
  }

  /// Lets signals end the process at once again.
  func end() {
    for (number, source) in sources {
      source.cancel()
      signal(number, SIG_DFL)
    }
  }
}
