import ArgumentParser
import Configuration
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
      {"log": {"level": "info"}}.

      One service serves a database. A second one is refused, by a lock on DATABASE.lock, unless --take-over is given.

      SIGTERM or SIGINT drains: no new calls, running ones finish within --shutdown-grace, the database is \
      checkpointed and closed. A second signal ends the process at once, and so does an end that takes 5 seconds longer \
      than the grace time. SIGHUP has the files of keys and certificates read again.
      """)

  @Option(help: ArgumentHelp("A JSON file with settings.", valueName: "path"))
  var config: String?
  @Option(help: ArgumentHelp("The SQLite database file, or :memory:. (default: users.db)", valueName: "path"))
  var database: String?
  @Option(
    help: ArgumentHelp(
      """
      Where to listen, HOST:PORT or unix:PATH; several by repeating it or with commas; port 0 is any free one. \
      (default: 127.0.0.1:50051)
      """,
      valueName: "address"))
  var listen: [String] = []
  @Option(
    help: ArgumentHelp(
      "The certificate for TLS and those that lead to its authority, PEM; read again when it changes.",
      valueName: "path"))
  var tlsCert: String?
  @Option(help: ArgumentHelp("The certificate's private key, PEM.", valueName: "path"))
  var tlsKey: String?
  @Option(
    help: ArgumentHelp(
      "Authorities that must have signed clients' certificates, PEM; without it clients need none.",
      valueName: "path"))
  var tlsClientCA: String?
  @Option(
    help: ArgumentHelp(
      "on: calls need tokens. off: everybody may do everything, for development. (default: on)",
      valueName: "mode"))
  var auth: String?
  @Flag(help: "With --auth off: listen also where others can reach the service.")
  var insecure = false
  @Flag(
    inversion: .prefixedNo,
    help: "Migrate an empty or older database; refuse it otherwise. (default: --migrate)")
  var migrate: Bool?
  @Flag(
    help: """
      Serve a database that another service serves, beside it until it stops: for a rolling restart. (default: refuse it)
      """)
  var takeOver = false
  @Flag(inversion: .prefixedNo, help: "Offer gRPC server reflection. (default: --reflection)")
  var reflection: Bool?
  @Option(
    help: ArgumentHelp(
      "Where Prometheus may read metrics, HOST:PORT, by HTTP and without a token. (default: nowhere)",
      valueName: "address"))
  var metricsListen: String?
  @Option(
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical. (default: info)", valueName: "level"))
  var logLevel: String?
  @Option(help: ArgumentHelp("text or json. (default: text)", valueName: "format"))
  var logFormat: String?
  @Option(
    help: ArgumentHelp(
      "How long running calls may go on after a signal. (default: 30s)", valueName: "duration"))
  var shutdownGrace: String?
  @Option(
    help: ArgumentHelp(
      "Rows that one bulk call may have, up to 100000. (default: 100000)", valueName: "count"))
  var bulkRows: Int?
  @Option(help: ArgumentHelp("Memory of a password hash. (default: 19456)", valueName: "KiB"))
  var argon2Memory: Int?
  @Option(help: ArgumentHelp("Passes of a password hash. (default: 2)", valueName: "count"))
  var argon2Iterations: Int?
  @Option(help: ArgumentHelp("Lanes of a password hash. (default: 1)", valueName: "count"))
  var argon2Parallelism: Int?

  func run() async throws {
    HangUp.shared.listen()
    let settings = try await ServiceConfiguration(flags: flags, file: config)
    let app = try await UserServiceApp.build(settings)
    try await app.run { addresses, metrics in
      let list = addresses.map(\.description).joined(separator: ", ")
      let page = metrics.map { ", metrics at http://\($0)/metrics" } ?? ""
      Terminal.say(
        "user-service \(Version.current) listening on \(list), database \(settings.database)\(page)")
    }
  }

  private var flags: [AbsoluteConfigKey: ConfigValue] {
    var flags: [AbsoluteConfigKey: ConfigValue] = [:]
    for (key, value) in [
      ("database", database), ("tls.cert", tlsCert), ("tls.key", tlsKey), ("tls.client.ca", tlsClientCA),
      ("auth.mode", auth), ("metrics.listen", metricsListen), ("log.level", logLevel),
      ("log.format", logFormat),
      ("shutdown.grace", shutdownGrace),
    ] {
      if let value { flags[Self.key(key)] = .init(.string(value), isSecret: false) }
    }
    for (key, value) in [
      ("bulk.rows", bulkRows), ("argon2.memory", argon2Memory), ("argon2.iterations", argon2Iterations),
      ("argon2.parallelism", argon2Parallelism),
    ] {
      if let value { flags[Self.key(key)] = .init(.int(value), isSecret: false) }
    }
    for (key, value) in [
      ("migrate", migrate), ("reflection", reflection), ("insecure", insecure ? true : nil),
      ("take.over", takeOver ? true : nil),
    ] {
      if let value { flags[Self.key(key)] = .init(.bool(value), isSecret: false) }
    }
    if !listen.isEmpty { flags["listen"] = .init(.stringArray(listen), isSecret: false) }
    return flags
  }

  private static func key(_ name: String) -> AbsoluteConfigKey {
    AbsoluteConfigKey(name.split(separator: ".").map(String.init))
  }
}
