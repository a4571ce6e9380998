/// Parses the rows of a file of one format incrementally. The file has no byte order mark.
protocol RowParser {
  /// The first line of a CSV file, as in ``UserFileParser/header``.
  var header: [UInt8] { get }

  /// Parses more bytes, and appends the rows that they complete to `rows`.
  ///
  /// - Throws: `UserFileError` if the rest of the file cannot be parsed. `rows` then has the rows before.
  mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, to rows: inout [UserFileRow])
    throws(UserFileError)

  /// Returns the rows that remain at the end of the file.
  ///
  /// - Throws: `UserFileError` if the file is incomplete.
  mutating func finish() throws(UserFileError) -> [UserFileRow]
}
