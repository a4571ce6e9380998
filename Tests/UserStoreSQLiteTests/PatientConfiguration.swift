import UserStoreSQLite

extension SQLiteUserRepository.Configuration {
  /// Waits for another connection's lock until the test releases it, as long as a slow machine may need.
  static var patient: Self {
    var configuration = Self()
    configuration.busyTimeout = .seconds(600)
    return configuration
  }
}
