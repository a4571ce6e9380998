import TestSupport
import Testing

/// What keeps the users of a store.
enum Engine: Hashable, Sendable {
  /// SQLite in memory.
  case memory
  /// SQLite in a file.
  case file
  /// PostgreSQL; nil if it is not installed, which fails the tests.
  case postgres(PostgresPrograms?)

  /// The engines whose databases several repositories can open, one after another or at once.
  static let durable: [Engine] = [.file] + postgres
  static let all: [Engine] = [.memory] + durable

  private static let postgres: [Engine] =
    PostgresPrograms.installed.isEmpty ? [.postgres(nil)] : PostgresPrograms.installed.map { .postgres($0) }
}

extension Engine: CustomTestStringConvertible {
  var testDescription: String {
    switch self {
    case .memory: "SQLite in memory"
    case .file: "SQLite in a file"
    case .postgres(let programs): "PostgreSQL \(programs.map { "\($0.version)" } ?? "")"
    }
  }
}
