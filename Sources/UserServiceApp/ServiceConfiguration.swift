public import Configuration
import Foundation
public import GRPCNghttp2Transport
public import Logging
import UserAPI

/// What `serve` needs to know. Each setting comes from, in this order: a flag, an environment variable
/// `USER_SERVICE_…`, the configuration file, its default.
public struct ServiceConfiguration: Sendable {
  /// A setting that cannot be used. One line that names the setting.
  public struct Invalid: Error, CustomStringConvertible {
    public let description: String
  }

  /// How lines of the log look.
  public enum LogFormat: String, CaseIterable, Sendable {
    /// For people.
    case text
    /// One JSON object a line.
    case json
  }

  /// `database`: the SQLite file, or `:memory:`.
  public let database: String
  /// `busy.timeout`: how long a write waits for another process that holds the database's lock, 0 to 10 min; then it is
  /// refused.
  public let busyTimeout: Duration
  /// `listen`: where the service listens; one address or several, in the environment separated by commas.
  public let listen: [ListenAddress]
  /// `tls.cert`, `tls.key`, `tls.client.ca`: the PEM files of TLS; nil for cleartext.
  public let tls: TLSIdentity.Files?
  /// `grpc.*`: the transport's limits and time-outs.
  public let transport: Nghttp2ServerTransport.Configuration
  /// `auth.*`, `peer.*`: who may call.
  public let auth: AuthConfiguration
  /// `migrate`: whether an empty or older database is migrated; it is refused otherwise.
  public let migrates: Bool
  /// `take.over`: whether a database that another service serves is served all the same, beside it until it stops; it is
  /// refused otherwise.
  public let takesOver: Bool
  /// `reflection`: whether gRPC server reflection is offered.
  public let offersReflection: Bool
  /// `metrics.listen`: the IP address and port where Prometheus may read metrics, by HTTP without TLS and without a
  /// token; nil for nowhere.
  public let metrics: ListenAddress?
  /// `log.level`: the least level that is logged.
  public let logLevel: Logger.Level
  /// `log.format`: how lines of the log look.
  public let logFormat: LogFormat
  /// `shutdown.grace`: how long running calls may go on after a signal to stop.
  public let shutdownGrace: Duration
  /// `bulk.rows`: rows that one BulkCreateUsers call may have.
  public let bulkRows: Int
  /// `argon2.*`, `password.*`: what password hashes cost, and what passwords have to be.
  public let passwords: PasswordConfiguration

  private static let ownDefaults: [AbsoluteConfigKey: ConfigValue] = [
    "database": "users.db", "listen": "127.0.0.1:50051", "tls.cert": "", "tls.key": "", "tls.client.ca": "",
    "metrics.listen": "", "migrate": true, "take.over": false, "reflection": true,
    "auth.reflection.public": true, "auth.jwks.users": true, "insecure": false,
    "log.level": "info",
    "log.format": "text", "shutdown.grace": "30s", "bulk.rows": 100_000, "busy.timeout": "5s",
  ]

  private static let defaults = ownDefaults.merging(
    (TransportConfiguration.defaults + AuthConfiguration.defaults + PasswordConfiguration.defaults).map {
      name, value in
      (AbsoluteConfigKey(name.split(separator: ".").map(String.init)), .init(.string(value), isSecret: false))
    }
  ) { $1 }

  /// Reads the settings.
  ///
  /// - Parameters:
  ///   - flags: the settings that the command line gives.
  ///   - environment: the environment, by default this process's.
  ///   - file: a JSON file, `{"listen": "0.0.0.0:50051", "log": {"level": "debug"}}`; nil for none.
  /// - Throws: `Invalid` for a setting that cannot be used, or one in the file that there is not.
  public init(
    flags: [AbsoluteConfigKey: ConfigValue], file: String?,
    environment: [String: String]? = nil
  ) async throws {
    var providers: [any ConfigProvider] = [
      InMemoryProvider(name: "flags", values: flags),
      EnvironmentVariablesProvider(
        environmentVariables: environment ?? ProcessInfo.processInfo.environment
      ).prefixKeys(with: ["user", "service"]),
    ]
    if let file {
      let known = Self.defaults.map { ($0.key.components.joined(separator: "."), $0.value.content) }
      providers.append(try ConfigurationFile(file).provider(known: Dictionary(known) { $1 }))
    }
    providers.append(InMemoryProvider(name: "defaults", values: Self.defaults))
    let reader = ConfigReader(providers: providers)

    database = try Self.read("database") { try reader.requiredString(forKey: "database") }
    guard !database.isEmpty else { throw Invalid(description: "database: the path is empty") }
    busyTimeout = try Self.parse("busy.timeout", reader, "a duration up to 10m") { text in
      Duration(text: text).flatMap { $0 <= .seconds(600) ? $0 : nil }
    }
    listen = try Self.listenAddresses(reader)
    tls = try Self.tlsFiles(reader)
    transport = try TransportConfiguration.make { name in try Self.text(name, reader) }
    auth = try AuthConfiguration(database: database, listen: listen) { name in
      try Self.text(name, reader)
    } flag: { name in
      try Self.read(name) { try reader.requiredBool(forKey: Self.key(name)) }
    }
    migrates = try Self.read("migrate") { try reader.requiredBool(forKey: "migrate") }
    takesOver = try Self.read("take.over") { try reader.requiredBool(forKey: Self.key("take.over")) }
    offersReflection = try Self.read("reflection") { try reader.requiredBool(forKey: "reflection") }
    metrics = try Self.metricsAddress(reader)
    if let metrics, listen.contains(where: metrics.isSame) {
      throw Invalid(description: "metrics.listen is \(metrics), where the service itself listens")
    }
    logLevel = try Self.parse(
      "log.level", reader, "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))",
      Logger.Level.init(rawValue:))
    logFormat = try Self.parse("log.format", reader, "text or json", LogFormat.init(rawValue:))
    shutdownGrace = try Self.parse("shutdown.grace", reader, "a duration such as 30s", Duration.init(text:))
    let rows = try Self.read("bulk.rows") { try reader.requiredInt(forKey: "bulk.rows") }
    guard BulkLimits.rowBounds.contains(rows) else {
      throw Invalid(description: "bulk.rows is \(rows); it must be 1 to \(BulkLimits.rowBounds.upperBound)")
    }
    bulkRows = rows
    passwords = try PasswordConfiguration { name in try Self.text(name, reader) }
  }

  private static func listenAddresses(_ reader: ConfigReader) throws -> [ListenAddress] {
    // A list in the file, or one text with commas.
    let texts =
      // Not a list is no error yet.
      if let list = try? reader.requiredStringArray(forKey: "listen") {
        list
      } else {
        [try read("listen") { try reader.requiredString(forKey: "listen") }]
      }
    var addresses: [ListenAddress] = []
    for text in texts.flatMap({ $0.split(separator: ",") }) {
      guard let address = ListenAddress(String(text.trimmingCharacters(in: .whitespaces))) else {
        throw Invalid(
          description: "listen is '\(text)'; it must be HOST:PORT with an IP address, or unix:PATH")
      }
      if let other = addresses.first(where: address.isSame) {
        let names = other == address ? "\(address) twice" : "\(other) and \(address), which are the same"
        throw Invalid(description: "listen names \(names)")
      }
      addresses.append(address)
    }
    guard !addresses.isEmpty else { throw Invalid(description: "listen names no address") }
    return addresses
  }

  private static func metricsAddress(_ reader: ConfigReader) throws -> ListenAddress? {
    let text = try read("metrics.listen") { try reader.requiredString(forKey: key("metrics.listen")) }
    if text.isEmpty { return nil }
    guard let address = ListenAddress(text), case .tcp = address else {
      throw Invalid(description: "metrics.listen is '\(text)'; it must be HOST:PORT with an IP address")
    }
    return address
  }

  private static func tlsFiles(_ reader: ConfigReader) throws -> TLSIdentity.Files? {
    func path(_ name: String) throws -> String? {
      let path = try read(name) {
        try reader.requiredString(forKey: key(name))
      }
      return path.isEmpty ? nil : path
    }
    let authorities = try path("tls.client.ca")
    switch (try path("tls.cert"), try path("tls.key")) {
    case (let certificate?, let key?):
      return TLSIdentity.Files(certificate: certificate, key: key, clientAuthorities: authorities)
    case (nil, nil):
      if authorities != nil { throw Invalid(description: "tls.client.ca needs tls.cert and tls.key") }
      return nil
    case (nil, _): throw Invalid(description: "tls.key needs tls.cert")
    case (_, nil): throw Invalid(description: "tls.cert needs tls.key")
    }
  }

  private static func read<Value>(_ name: String, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      throw Invalid(description: "\(name) has a value of the wrong type")
    }
  }

  private static func key(_ name: String) -> ConfigKey {
    ConfigKey(name.split(separator: ".").map(String.init))
  }

  /// A setting as text; a flag may give it as a number.
  private static func text(_ name: String, _ reader: ConfigReader) throws -> String {
    let key = key(name)
    // Not a text is no error yet.
    if let text = try? reader.requiredString(forKey: key) { return text }
    if let number = try? reader.requiredInt(forKey: key) { return String(number) }
    return String(try read(name) { try reader.requiredDouble(forKey: key) })
  }

  private static func parse<Value>(
    _ name: String, _ reader: ConfigReader, _ form: String, _ parse: (String) -> Value?
  ) throws -> Value {
    let text = try text(name, reader)
    guard let value = parse(text) else {
      throw Invalid(description: "\(name) is '\(text)'; it must be \(form)")
    }
    return value
  }
}

extension Duration {
  /// The longest duration that a setting may have: 400 days.
  static let longest: Duration = .seconds(400 * 86_400)

  /// A number and a unit: `250ms`, `1.5s`, `2m`, `1h`, `30d`; at most 400 days.
  public init?(text: String) {
    let units: [(suffix: String, seconds: Double)] = [
      ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400),
    ]
    guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
      let number = Double(text.dropLast(unit.suffix.count)), number >= 0,
      number * unit.seconds <= Self.longest / .seconds(1)
    else { return nil }
    self = .seconds(number * unit.seconds)
  }
}
