import Foundation
import Synchronization

/// SIGHUP, which makes the service reload its files.
package final class HangUp: Sendable {
  /// The instance of this process, which lives until the process ends: without a handler, the signal would end it.
  package static let shared = HangUp()

  private let source: Mutex<any DispatchSourceSignal>
  private let signals: AsyncStream<Void>

  private init() {
    let (signals, tell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.signals = signals
    let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "hang-up"))
    source.setEventHandler { tell.yield() }
    source.resume()
    self.source = Mutex(source)
  }

  /// Creates ``shared`` and with it the handler, so that the signal no longer ends the process.
  package func listen() {}

  /// The signals received since ``listen()``; several in a row may arrive as one. Supports one reader.
  var events: AsyncStream<Void> { signals }
}
