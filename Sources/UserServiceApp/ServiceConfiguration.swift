public import Foundation
public import GRPCNghttp2Transport
public import Logging
public import TokenSigning
import UserAPI
import UserDomain
import UserStore

/// What `serve` needs to know. Each property is a ``Setting``, and begins as that setting's default.
public struct ServiceConfiguration: Sendable {
  /// How lines of the log look.
  public enum LogFormat: String, CaseIterable, Sendable {
    /// For people.
    case text
    /// One JSON object a line.
    case json
  }

  /// The paths of the settings `tls.*`.
  struct TLSFiles: Hashable, Sendable {
    var certificate: String?
    var key: String?
    var clientAuthorities: String?
  }

  /// The SQLite file, or `:memory:`.
  public internal(set) var database = "users.db"
  /// How long a write waits for another process that holds the database's lock; then it is refused.
  public internal(set) var busyTimeout = SQLiteUserRepository.Configuration().busyTimeout
  /// Where the service listens: at least one address.
  public internal(set) var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 50_051)]
  var tlsFiles = TLSFiles()
  /// The transport's limits and time-outs.
  public internal(set) var transport = Nghttp2ServerTransport.Configuration()
  /// Who may call.
  public internal(set) var auth = AuthConfiguration()
  /// Whether an empty or older database is migrated; it is refused otherwise.
  public internal(set) var migrates = true
  /// Whether a database that another service serves is served all the same, beside it until it stops; it is refused
  /// otherwise.
  public internal(set) var takesOver = false
  /// Whether gRPC server reflection is offered.
  public internal(set) var offersReflection = true
  /// The IP address and port where Prometheus may read metrics, by HTTP without TLS and without a token; nil for nowhere.
  public internal(set) var metrics: ListenAddress?
  /// The least level that is logged.
  public internal(set) var logLevel = Logger.Level.info
  /// How lines of the log look.
  public internal(set) var logFormat = LogFormat.text
  /// How long running calls may go on after a signal to stop.
  public internal(set) var shutdownGrace: Duration = .seconds(30)
  /// Rows that one BulkCreateUsers call may have.
  public internal(set) var bulkRows = BulkLimits().rows
  /// What password hashes cost, and what passwords have to be.
  public internal(set) var passwords = PasswordConfiguration()

  /// The defaults.
  init() {}

  /// Reads the settings. Each comes from, in this order: its flag, its environment variable `USER_SERVICE_…`, the
  /// configuration file, its default.
  ///
  /// - Parameters:
  ///   - flags: the settings that the command line gives, texts by names.
  ///   - file: the path of a JSON file, `{"listen": "0.0.0.0:50051", "log": {"level": "debug"}}`; nil for none.
  ///   - environment: the environment, by default this process's.
  /// - Throws: `InvalidSetting` for a setting that cannot be used, or an unknown one in the file.
  public init(
    flags: [String: String], file: String?,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(InvalidSetting) {
    if let name = flags.keys.first(where: { name in !Setting.all.contains { $0.name == name } }) {
      throw InvalidSetting(description: "there is no setting '\(name)'")
    }
    let sources = SettingSources(
      flags: flags, environment: environment,
      file: try file.map(ConfigurationFile.init)?.read(Setting.all) ?? [:])
    for setting in Setting.all {
      if let text = sources[setting.name] { try setting.apply(&self, text) }
    }
    try check()
  }

  /// The PEM files of TLS; nil for cleartext.
  public var tls: TLSIdentity.Files? {
    guard let certificate = tlsFiles.certificate, let key = tlsFiles.key else { return nil }
    return TLSIdentity.Files(
      certificate: certificate, key: key, clientAuthorities: tlsFiles.clientAuthorities)
  }

  /// Who signs tokens. The service's own keys are in the file that `auth.keys` names, or beside the database; in memory
  /// for a database in memory.
  public var authority: TokenAuthority.Configuration {
    let beside = database == ":memory:" ? nil : database + ".keys"
    return TokenAuthority.Configuration(
      keys: (auth.keyFile ?? beside).map { KeyFile(path: $0) }, issuer: auth.issuer, audience: auth.audience,
      outside: auth.outside)
  }

  /// What new passwords have to be. None may be the service's name: the program's, or what the service calls itself in
  /// tokens.
  var passwordPolicy: PasswordPolicy {
    PasswordPolicy(minimumLength: passwords.minimumLength, serviceNames: ["user-service", auth.issuer])
  }

  /// Compares settings with each other.
  private mutating func check() throws(InvalidSetting) {
    switch (tlsFiles.certificate, tlsFiles.key) {
    case (_?, _?): break
    case (nil, nil):
      guard tlsFiles.clientAuthorities == nil else {
        throw InvalidSetting(description: "tls.client.ca needs tls.cert and tls.key")
      }
    case (nil, _): throw InvalidSetting(description: "tls.key needs tls.cert")
    case (_, nil): throw InvalidSetting(description: "tls.cert needs tls.key")
    }
    if let metrics, listen.contains(where: metrics.isSame) {
      throw InvalidSetting(description: "metrics.listen is \(metrics), where the service itself listens")
    }
    try auth.check(listen: listen)
    try passwords.check()
  }
}
