import CSQLite

/// The settings of SQLite for the whole process.
enum SQLiteLibrary {
  /// Turns SQLite's statistics of its memory off, at the first use of this property. With them each allocation and release
  /// takes one mutex, for which the connections of all threads wait (sqlite.org/malloc.html#memory_statistics).
  ///
  /// False if other code of the process has used SQLite before. Then it works, but slower.
  static let isConfigured = CSQLite_turnMemoryStatisticsOff() == SQLITE_OK
}
