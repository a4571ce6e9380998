/// Parses users incrementally from chunks of a file of any size, without I/O.
public struct UserFileParser {
  private var rows: any RowParser
  private var beginning = TextBeginning()
  /// Why the rest of the file cannot be parsed; the rows before were returned.
  private var failure: UserFileError?

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

  /// Parses more bytes, and returns the rows that they complete. Before it throws, it returns the rows before the fault.
  ///
  /// - Throws: `UserFileError` if the rest of the file cannot be parsed: it is UTF-16, has unknown columns, or lacks
  ///   a closing quote.
  public mutating func append(_ bytes: some Sequence<UInt8>) throws(UserFileError) -> [UserFileRow] {
    try parse(beginning.append(bytes))
  }

  private mutating func parse(_ bytes: [UInt8]) throws(UserFileError) -> [UserFileRow] {
    if let failure { throw failure }
    if bytes.isEmpty { return [] }
    var found: [UserFileRow] = []
    do throws(UserFileError) {
      try bytes.withUnsafeBufferPointer { bytes throws(UserFileError) in try rows.append(bytes, to: &found) }
    } catch {
      if found.isEmpty { throw error }
      failure = error
    }
    return found
  }

  /// Returns the rows that remain at the end of the file.
  ///
  /// - Throws: the errors of ``append(_:)``, and an error for an incomplete document or an empty CSV file.
  public mutating func finish() throws(UserFileError) -> [UserFileRow] {
    let found = try parse(beginning.finish())
    if let failure { throw failure }
    return try found + rows.finish()
  }
}
