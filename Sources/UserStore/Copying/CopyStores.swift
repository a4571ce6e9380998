/// A database that is read for a copy: one snapshot, which no service changes meanwhile.
///
/// The caller that opens it closes it, and uses it on one thread.
package protocol CopySource: AnyObject {
  /// The database for messages.
  var name: String { get }

  /// Returns the database's applied migrations, which are all that the program knows.
  func history() throws(StoreError) -> SchemaHistory

  /// Returns the number of rows of a table.
  func count(_ table: CopiedTable) throws(StoreError) -> Int

  /// Begins to read a table after the row with `key`, or at its first row. Only one table is read at a time.
  func open(_ table: CopiedTable, after key: CopiedKey?) throws(StoreError)

  /// Returns the next rows of the open table by ascending key, at most `limit`; fewer only at its end.
  func next(_ limit: Int) throws(StoreError) -> [CopiedRow]

  /// Ends the snapshot, and closes the database. Repeated calls do nothing.
  func close() throws(StoreError)
}

/// A database that receives a copy. No service may use it meanwhile, nor afterwards until ``end()``.
///
/// The caller that opens it closes it, and uses it on one thread.
package protocol CopyTarget: AnyObject {
  /// The database for messages.
  var name: String { get }

  /// The progress of a copy that was interrupted; nil for an empty database, which may lack migrations.
  var progress: CopyProgress? { get }

  /// Applies the migrations that are missing, and records a new copy.
  func begin(_ progress: CopyProgress) throws(StoreError)

  /// Stores rows and the progress, in one transaction that is durable on return.
  ///
  /// - Throws: `CopyFault.conflict` if they do not go together with those that are stored.
  func store(_ rows: [CopiedRow], in table: CopiedTable, _ progress: CopyProgress) throws(StoreError)

  /// Completes what the engine keeps besides the rows, when all are stored.
  func complete() throws(StoreError)

  /// Opens the target to compare it. The caller closes the result.
  func reader() throws(StoreError) -> any CopySource

  /// Removes the record of the copy: the database may be used.
  func end() throws(StoreError)

  /// Closes the database. Repeated calls do nothing.
  func close() throws(StoreError)
}
