/// Parses users incrementally from chunks of a file of any size, without I/O.
public struct UserFileParser {
  private var rows: any RowParser
  private var beginning = TextBeginning()

  /// The first line of a CSV file, byte for byte except the columns `line` and `reason`. Empty for JSON, and until
  /// that line has been read.
  public var header: [UInt8] { rows.header }

  /// Creates a parser at the start of a file.
  public init(_ format: ImportFormat) {
    rows =
      switch format {
      case .users(.csv): CSVRows()
      case .users(.jsonl): JSONLinesParser(format)
      case .firebase, .kratos, .auth0, .keycloak: JSONDocumentParser(format)
      }
  }

  /// Parses more bytes, and returns the rows that they complete.
  ///
  /// - Throws: `UserFileError` if the rest of the file cannot be parsed: it is UTF-16, has unknown columns, or lacks
  ///   a closing quote.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [UserFileRow] {
    try parse(beginning.append(bytes))
  }

  private mutating func parse(_ bytes: [UInt8]) throws(UserFileError) -> [UserFileRow] {
    if bytes.isEmpty { return [] }
    return try bytes.withUnsafeBufferPointer { bytes throws(UserFileError) in try rows.append(bytes) }
  }

  /// Returns the rows that remain at the end of the file.
  ///
  /// - Throws: the errors of ``append(_:)``, and an error for an incomplete document or an empty CSV file.
  public mutating func finish() throws(UserFileError) -> [UserFileRow] {
    try parse(beginning.finish()) + rows.finish()
  }
}
