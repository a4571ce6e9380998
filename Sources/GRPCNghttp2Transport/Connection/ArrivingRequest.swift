/// A request whose header block is not complete.
struct ArrivingRequest {
  let id: Int32
  var head: RequestHead
  /// For what comes after.
  let memory: StreamMemory
}
