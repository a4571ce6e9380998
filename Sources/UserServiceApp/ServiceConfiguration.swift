public import Foundation
public import GRPCNghttp2Transport
public import Logging
public import TokenSigning
import UserAPI
import UserDomain
import UserStorePostgres
import UserStoreSQLite

/// The configuration of `serve`. Each property is a ``Setting`` and starts as its default.
public struct ServiceConfiguration: Sendable {
  /// How lines of the log look.
  public enum LogFormat: String, CaseIterable, Sendable {
    /// Text for people.
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

  /// The SQLite file, `:memory:`, or the URI of a PostgreSQL database, which may have a password in it.
  public internal(set) var database = "users.db"
  /// How long a write waits for another process that holds the database's lock before it is refused.
  public internal(set) var busyTimeout = SQLiteUserRepository.Configuration().busyTimeout
  /// The addresses to listen on; at least one.
  public internal(set) var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 50_051)]
  var tlsFiles = TLSFiles()
  /// The transport's limits and time-outs.
  public internal(set) var transport = Nghttp2ServerTransport.Configuration()
  /// Authentication, and limits of callers.
  public internal(set) var auth = AuthConfiguration()
  /// Whether an empty or older database is migrated instead of refused.
  public internal(set) var migrates = true
  /// Whether a database that another service serves is served beside it until that one stops, instead of refused.
  public internal(set) var takesOver = false
  /// Whether gRPC server reflection is offered.
  public internal(set) var offersReflection = true
  /// The IP address and port that serve metrics over HTTP, without TLS and without a token; nil for none.
  public internal(set) var metrics: ListenAddress?
  /// The lowest level that is logged.
  public internal(set) var logLevel = Logger.Level.info
  /// The format of log lines.
  public internal(set) var logFormat = LogFormat.text
  /// How long running calls may continue after a signal to stop.
  public internal(set) var shutdownGrace: Duration = .seconds(30)
  /// The most rows of one BulkCreateUsers call.
  public internal(set) var bulkRows = BulkLimits().rows
  /// How long deleted users are retained.
  public internal(set) var deletedRetention = UserDeletion.defaultRetention
  /// The cost of password hashes, and the rules for new passwords.
  public internal(set) var passwords = PasswordConfiguration()

  /// Creates the default configuration.
  init() {}

  /// Reads the settings. The sources, in order of precedence, are flags, environment variables `USER_SERVICE_…`, the
  /// configuration file and the defaults.
  ///
  /// - Parameters:
  ///   - flags: settings given on the command line, as texts by name.
  ///   - file: the path of a JSON file, `{"listen": "0.0.0.0:50051", "log": {"level": "debug"}}`; nil for none.
  ///   - environment: the environment, by default this process's.
  /// - Throws: `InvalidSetting` for a setting that cannot be used, or an unknown one in the file.
  public init(
    flags: [String: String], file: String?,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(InvalidSetting) {
    if let name = flags.keys.first(where: { name in !Setting.all.contains { $0.name == name } }) {
      throw InvalidSetting(description: "unknown setting '\(name)'")
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

  /// The configuration of the token authority. The service's own keys are in the file that `auth.keys` names, or
  /// beside the database: with PostgreSQL, in the working directory. An in-memory database has its keys in memory.
  public var authority: TokenAuthority.Configuration {
    let beside =
      switch database {
      case ":memory:": String?.none
      case let uri where PostgresAddress.isAddress(uri): "user-service.keys"
      case let path: path + ".keys"
      }
    return TokenAuthority.Configuration(
      keys: (auth.keyFile ?? beside).map { KeyFile(path: $0) }, issuer: auth.issuer, audience: auth.audience,
      outside: auth.outside)
  }

  /// The rules for new passwords. A password must not be the service's name: the program's, or the issuer in its
  /// tokens.
  var passwordPolicy: PasswordPolicy {
    PasswordPolicy(minimumLength: passwords.minimumLength, serviceNames: ["user-service", auth.issuer])
  }

  /// Checks the settings against each other.
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
      throw InvalidSetting(description: "metrics.listen is \(metrics), an address of the service itself")
    }
    try auth.check(listen: listen)
    try passwords.check()
  }
}
