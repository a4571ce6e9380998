import Testing

/// Accepted and refused texts of a setting.
struct SettingSample: Sendable, CustomTestStringConvertible {
  let name: String
  /// Texts of values within the bounds, including the bounds, but not the default.
  let accepted: [String]
  /// Texts of values out of bounds.
  let refused: [String]
  /// Other settings that this one requires.
  let companions: [String: String]

  var testDescription: String { name }

  init(_ name: String, _ accepted: [String], not refused: [String], with companions: [String: String] = [:]) {
    self.name = name
    self.accepted = accepted
    self.refused = refused
    self.companions = companions
  }

  /// Samples of every setting, in order.
  static let all = service + passwordCost + callers + passwords + limits + transport

  private static let truth = ["", "maybe", "2", "on"]
  private static let path = ["tls.cert": "a.pem", "tls.key": "a.key"]

  private static let service = [
    SettingSample("database", ["other.db", ":memory:"], not: [""]),
    SettingSample(
      "listen", ["127.0.0.1:0", "0.0.0.0:1,[::1]:65535,unix:/run/a"],
      not: ["somewhere", "127.0.0.1", "127.0.0.1:65536", "example.com:1", "999.0.0.1:1", "unix:"]),
    SettingSample("tls.cert", ["b.pem"], not: [], with: ["tls.key": "a.key"]),
    SettingSample("tls.key", ["b.key"], not: [], with: ["tls.cert": "a.pem"]),
    SettingSample("tls.client.ca", ["ca.pem"], not: [], with: path),
    SettingSample("auth.mode", ["off"], not: ["", "true", "Off"]),
    SettingSample("insecure", ["true"], not: truth),
    SettingSample("migrate", ["false"], not: truth),
    SettingSample("take.over", ["true"], not: truth),
    SettingSample("reflection", ["false"], not: truth),
    SettingSample("log.level", ["trace", "critical"], not: ["", "loud", "INFO"]),
    SettingSample("log.format", ["json"], not: ["", "xml"]),
    SettingSample("shutdown.grace", ["0s", "400d"], not: ["", "soon", "30", "-1s", "401d"]),
    SettingSample("bulk.rows", ["1", "99999"], not: ["", "0", "100001", "many", "1.5"]),
    SettingSample("deleted.retention", ["0s", "7d"], not: ["", "-1s", "401d", "never"]),
    SettingSample(
      "metrics.listen", ["127.0.0.1:0", "[::1]:9090"], not: ["somewhere", "unix:/run/metrics", "localhost"]),
  ]

  private static let passwordCost = [
    SettingSample("argon2.memory", ["17920", "262144"], not: ["", "7167", "524289", "much"]),
    SettingSample("argon2.iterations", ["3", "10"], not: ["", "0", "11"]),
    SettingSample("argon2.parallelism", ["2", "16"], not: ["", "0", "17"]),
  ]

  private static let callers = [
    SettingSample("busy.timeout", ["0s", "10m"], not: ["", "601s", "5"]),
    SettingSample("auth.keys", ["keys"], not: []),
    SettingSample("auth.issuer", ["other"], not: [""]),
    SettingSample("auth.audience", ["other"], not: [""]),
    SettingSample(
      "auth.access.lifetime", ["1s", "1d"], not: ["", "999ms", "25h"]),
    SettingSample(
      "auth.refresh.lifetime", ["1s", "400d"], not: ["", "0s", "401d"],
      with: ["auth.access.lifetime": "1s", "auth.session.lifetime": "400d"]),
    SettingSample(
      "auth.session.lifetime", ["30d", "400d"], not: ["", "0s", "401d"]),
    SettingSample("auth.reflection.public", ["false"], not: truth),
    SettingSample("auth.jwks.file", ["keys.json"], not: [], with: ["auth.jwks.issuer": "them"]),
    SettingSample("auth.jwks.issuer", ["them"], not: [], with: ["auth.jwks.file": "keys.json"]),
    SettingSample("auth.jwks.audience", ["us"], not: []),
    SettingSample("auth.jwks.algorithms", ["EdDSA", "ES256,HS256"], not: ["none", "eddsa"]),
    SettingSample("auth.jwks.type", ["any"], not: ["", "JWT"]),
    SettingSample("auth.jwks.max.lifetime", ["1s", "400d"], not: ["", "999ms", "401d"]),
    SettingSample("auth.jwks.users", ["false"], not: truth),
  ]

  private static let passwords = [
    SettingSample("password.min.length", ["6", "64"], not: ["", "5", "65"]),
    SettingSample("argon2.threads", ["1", "1024"], not: ["", "0", "1025"]),
    SettingSample("argon2.queue", ["0", "1000000"], not: ["", "-1", "1000001"]),
    SettingSample(
      "argon2.budget", ["19456", "1073741824"], not: ["", "7167", "1073741825", "99999999999999999999"]),
  ]

  private static let limits = [
    SettingSample("peer.rate", ["0.001", "1000000", "none"], not: ["", "0", "0.0009", "1000001", "nan"]),
    SettingSample("peer.burst", ["1", "1000000"], not: ["", "0", "1000001", "none"]),
    SettingSample("unix.socket.mode", ["0660", "0777"], not: ["", "0400", "1777", "rw", "00660"]),
  ]

  private static let timeout = ["", "0s", "500us", "401d", "30"]

  private static let transport = [
    SettingSample("grpc.max.recv.msg.size", ["1", "1073741824"], not: ["", "0", "1073741825"]),
    SettingSample("grpc.max.send.msg.size", ["1", "2147483646"], not: ["", "0", "2147483648"]),
    SettingSample("grpc.max.header.list.size", ["1024", "1048576"], not: ["", "1023", "1048577"]),
    SettingSample("grpc.max.concurrent.streams", ["1", "100000"], not: ["", "0", "100001"]),
    SettingSample("grpc.max.connections", ["1", "1000000"], not: ["", "0", "1000001", "none"]),
    SettingSample(
      "grpc.max.network.connections", ["1", "1000000", "none"], not: ["", "0", "1000001", "all"]),
    SettingSample("grpc.max.connection.memory", ["65536", "1073741824"], not: ["", "65535", "1073741825"]),
    SettingSample("grpc.max.memory", ["1048576", "1099511627776"], not: ["", "1048575", "1099511627777"]),
    SettingSample("grpc.initial.window.size", ["1", "1073741824"], not: ["", "0", "1073741825"]),
    SettingSample(
      "grpc.initial.conn.window.size", ["65535", "1073741824"], not: ["", "65534", "1073741825"]),
    SettingSample("grpc.connection.timeout", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.receive.timeout", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.send.timeout", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.keepalive.time", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.keepalive.timeout", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.keepalive.min.time", ["0s", "400d"], not: ["", "-1s", "401d"]),
    SettingSample("grpc.max.connection.idle", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.max.connection.age", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.max.connection.grace", ["1ms", "400d"], not: timeout),
    SettingSample("grpc.inline", ["false"], not: truth),
    SettingSample("grpc.compression", ["gzip", "deflate"], not: ["", "br", "GZIP"]),
    SettingSample("grpc.compression.min.size", ["0", "1073741824"], not: ["", "-1", "1073741825"]),
  ]
}
