import NIOCore
import Synchronization

/// How a connection ends when the grace time of a shutdown, or of its age, is over.
extension Connection {
  /// Ends the calls that still run with UNAVAILABLE, because the server stops. A client that does not read what comes before its status hears of
  /// the end of the connection instead.
  func cutOff(now: NIODeadline) {
    self.now = now
    cutOff(.serverStops)
    onWork()
  }

  /// Ends the calls that still run with `fault`.
  func cutOff(_ fault: Nghttp2ServerTransport.CallFault) {
    peer.isCutOff.store(true, ordering: .relaxed)
    for stream in streams.values { stream.cutOff(fault) }
  }
}
