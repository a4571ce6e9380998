/// A request whose header block is not complete. It moves into its ``ServerStream``, and is never copied.
struct ArrivingRequest: ~Copyable {
  let id: Int32
  var head: RequestHead
  /// For what comes after.
  let memory: StreamMemory
}
