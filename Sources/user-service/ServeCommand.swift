import ArgumentParser
import GRPCNghttp2Transport
import UserServiceApp

/// `user-service serve`: the service itself.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve user.v1.UserService over gRPC.",
    discussion: """
      A setting's flag takes precedence over its environment variable, that over the file that --config names, that over \
      its default. For --log-level, the variable is USER_SERVICE_LOG_LEVEL, and the file has \
      {"log": {"level": "info"}}. `user-service settings` lists every setting, including those without a flag.

      One process serves a database. A lock on DATABASE.lock refuses a second one, unless --take-over is given.

      SIGTERM or SIGINT drains: new calls are refused, running calls finish within --shutdown-grace, and the database is \
      checkpointed and closed. A second signal ends the process at once, as does a shutdown that exceeds the grace time by \
      5 seconds. SIGHUP reloads the key and certificate files.
      """)

  @OptionGroup var file: SettingsOption
  @OptionGroup var flags: ServeFlags

  func run() async throws {
    HangUp.shared.listen()
    let settings = try ServiceConfiguration(flags: flags.settings, file: file.config)
    // Without the password that a URI may have.
    let database = try DatabaseAddress(settings.database).description
    let app = try await UserServiceApp.build(settings)
    try await app.run { addresses, metrics in
      let list = addresses.map(\.description).joined(separator: ", ")
      let page = metrics.map { ", metrics at http://\($0)/metrics" } ?? ""
      Terminal.say(
        "user-service \(Version.current) listening on \(list), database \(database)\(page)")
    }
  }
}
