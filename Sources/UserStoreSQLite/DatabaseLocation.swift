/// The place of a database.
public enum DatabaseLocation: Hashable, Sendable {
  /// A file, with SQLite's `-wal` and `-shm` files beside it.
  case file(String)
  /// The memory of this process, for tests and trials. The data is lost when the repository is closed.
  case inMemory

  /// Creates the location that an operator names: a path, or `:memory:`.
  public init(path: String) {
    self = path == ":memory:" ? .inMemory : .file(path)
  }
}

extension DatabaseLocation: CustomStringConvertible {
  /// The path, or `:memory:`.
  public var description: String {
    switch self {
    case .file(let path): path
    case .inMemory: ":memory:"
    }
  }
}
