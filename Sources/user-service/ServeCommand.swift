import ArgumentParser
import GRPCNghttp2Transport
import UserServiceApp

/// `user-service serve`: the service itself.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serves user.v1.UserService over gRPC.",
    discussion: """
      Each setting comes from its flag, or else from its environment variable, or else from the file that --config \
      names, or else from its default. The variable of --log-level is USER_SERVICE_LOG_LEVEL; in the file it is \
      {"log": {"level": "info"}}. `user-service settings` lists every setting, also those without a flag.

      One service serves a database. A second one is refused, by a lock on DATABASE.lock, unless --take-over is given.

      SIGTERM or SIGINT drains: no new calls, running ones finish within --shutdown-grace, the database is \
      checkpointed and closed. A second signal ends the process at once, and so does an end that takes 5 seconds longer \
      than the grace time. SIGHUP has the files of keys and certificates read again.
      """)

  @OptionGroup var file: SettingsOption
  @OptionGroup var flags: ServeFlags

  func run() async throws {
    HangUp.shared.listen()
    let settings = try ServiceConfiguration(flags: flags.settings, file: file.config)
    let app = try await UserServiceApp.build(settings)
    try await app.run { addresses, metrics in
      let list = addresses.map(\.description).joined(separator: ", ")
      let page = metrics.map { ", metrics at http://\($0)/metrics" } ?? ""
      Terminal.say(
        "user-service \(Version.current) listening on \(list), database \(settings.database)\(page)")
    }
  }
}
