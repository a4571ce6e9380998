public import Testing

/// What a suite needs beside a processor. `./dev test` runs the suites without a tag first, in seconds, then those of each
/// tag, so that tests which need the machine to themselves do not keep the others waiting. It reads the tags of `@Suite`.
extension Tag {
  /// Real sockets or SQLite, in the process of the tests.
  @Tag public static var io: Self
  /// Processes, many thousands of rows, or hashes of many megabytes.
  @Tag public static var heavy: Self
}
