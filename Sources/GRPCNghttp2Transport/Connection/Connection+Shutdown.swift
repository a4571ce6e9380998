import NIOCore

/// How a connection ends when the grace time of a shutdown is over.
extension Connection {
  /// Ends the calls that still run with UNAVAILABLE. A client that does not read what comes before its status hears of
  /// the end of the connection instead.
  func cutOff(now: NIODeadline) {
    self.now = now
    for stream in streams.values { stream.cutOff() }
    onWork()
  }
}
