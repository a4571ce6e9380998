public import Testing

/// The needs of a suite besides a processor. `./dev test` first runs the suites without a tag, in seconds, then those
/// of each tag. So tests that need the machine to themselves do not hold up the others. It reads the tags of `@Suite`.
extension Tag {
  /// Uses real sockets or files, in the process of the tests.
  @Tag public static var io: Self
  /// Uses processes, many thousands of rows, or hashes of many megabytes.
  @Tag public static var heavy: Self
}
