/// How many rows of an import have which outcome.
struct ImportCounts: Hashable, Codable {
  /// All rows with an outcome, from the start of the file without a gap.
  var rows = 0
  var imported = 0
  var alreadyStored = 0
  /// May count a row after a gap, too.
  var rejected = 0
}
