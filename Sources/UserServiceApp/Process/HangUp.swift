import Foundation
import Synchronization

/// SIGHUP, which asks the service to read its files again, and does not end it.
package final class HangUp: Sendable {
  /// The process's. Kept until it ends: without a listener the signal would end the process again.
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

  /// Does not end the process from now on.
  package func listen() {}

  /// The signals from ``listen()`` on, several in a row as one. For one reader.
  var events: AsyncStream<Void> { signals }
}
