import Foundation
import GRPCNghttp2Transport
import Logging
import TestSupport
import Testing
import TokenSigning
import UserAPI

@testable import UserServiceApp

@Suite struct ServiceConfigurationTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func file(_ text: String) throws -> String {
    let path = directory.path("settings.json")
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Reads a configuration from only these flags, environment and file.
  private func settings(
    flags: [String: String] = [:], file text: String? = nil, environment: [String: String] = [:]
  ) throws -> ServiceConfiguration {
    try ServiceConfiguration(flags: flags, file: try text.map(file), environment: environment)
  }

  private func problem(
    flags: [String: String] = [:], file text: String? = nil, environment: [String: String] = [:]
  ) throws -> String? {
    #expect(throws: InvalidSetting.self) {
      try settings(flags: flags, file: text, environment: environment)
    }?.description
  }

  @Test("flags precede the environment, the environment the file, and the file the defaults")
  func precedence() throws {
    let environment = ["USER_SERVICE_BULK_ROWS": "2"]
    let text = #"{"bulk": {"rows": 3}}"#
    #expect(try settings(flags: ["bulk.rows": "1"], file: text, environment: environment).bulkRows == 1)
    #expect(try settings(file: text, environment: environment).bulkRows == 2)
    #expect(try settings(file: text).bulkRows == 3)
    #expect(try settings().bulkRows == 100_000)
  }

  @Test("an empty variable is a value, and overrides the file")
  func emptyVariable() throws {
    let text = #"{"metrics": {"listen": "127.0.0.1:9"}}"#
    #expect(try settings(file: text).metrics == .tcp(host: "127.0.0.1", port: 9))
    #expect(try settings(file: text, environment: ["USER_SERVICE_METRICS_LISTEN": ""]).metrics == nil)
  }

  @Test("flags and the file accept every setting")
  func everySource() throws {
    for sample in SettingSample.all {
      let texts = sample.companions.merging([sample.name: sample.accepted[0]]) { $1 }
      let object = texts.reduce(into: [String: Any]()) { object, setting in
        object = Self.nested(setting.key.split(separator: "."), setting.value, in: object)
      }
      let json = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
      for configuration in [try settings(flags: texts), try settings(file: json)] {
        #expect(Setting.named(sample.name).text(configuration) == .value(sample.accepted[0]))
      }
    }
  }

  private static func nested(
    _ names: [Substring], _ text: String, in object: [String: Any]
  ) -> [String: Any] {
    var object = object
    guard let name = names.first.map(String.init) else { return object }
    object[name] =
      names.count == 1
      ? text : nested(Array(names.dropFirst()), text, in: object[name] as? [String: Any] ?? [:])
    return object
  }

  @Test("variables of other programs are ignored")
  func otherVariables() throws {
    let environment = ["USER_SERVICE_PORT": "tcp://10.0.0.1:80", "USER_SERVICE_LISTE": "x", "LISTEN": "y"]
    #expect(try settings(environment: environment).listen == [.tcp(host: "127.0.0.1", port: 50_051)])
  }

  @Test("an unknown setting is refused, in the file and as a flag")
  func unknown() throws {
    #expect(try problem(flags: ["log.levle": "info"]) == "unknown setting 'log.levle'")
    #expect(
      try problem(file: #"{"log": {"levle": "info"}}"#)?.hasSuffix("unknown setting 'log.levle'") == true)
  }

  @Test(
    "truth values are read in their usual spellings",
    arguments: [
      ("true", true), ("TRUE", true), ("yes", true), ("1", true), ("false", false), ("No", false),
      ("0", false),
    ])
  func truth(text: String, value: Bool) throws {
    #expect(try settings(environment: ["USER_SERVICE_MIGRATE": text]).migrates == value)
    #expect(try settings(environment: ["USER_SERVICE_GRPC_INLINE": text]).transport.answersInline == value)
  }

  @Test("in the file, numbers, truth values and lists may have their JSON types")
  func types() throws {
    let configuration = try settings(
      file: """
        {"migrate": false, "grpc": {"inline": false, "max": {"connections": 9}}, "peer": {"rate": 0.5},
         "listen": ["127.0.0.1:1", "unix:a"], "auth": {"jwks": {"algorithms": ["ES256"]}}}
        """)
    #expect(!configuration.migrates && !configuration.transport.answersInline)
    #expect(configuration.transport.maxConnections == 9 && configuration.auth.peerLimit?.rate == 0.5)
    #expect(configuration.listen == [.tcp(host: "127.0.0.1", port: 1), .unix(path: "a")])
    #expect(configuration.auth.outsideAlgorithms == [.es256])
  }

  @Test("in the file, names are nested objects or one key, and a setting may also be a group")
  func keys() throws {
    let flat = try settings(file: #"{"log.level": "error", "grpc.compression.min.size": 9}"#)
    #expect(flat.logLevel == .error && flat.transport.compressionMinSize == 9)
    let both = try settings(file: #"{"grpc": {"compression": "gzip", "compression.min": {"size": 9}}}"#)
    #expect(both.transport.compression == .gzip && both.transport.compressionMinSize == 9)
    let twice = try problem(file: #"{"log": {"level": "info"}, "log.level": "error"}"#)
    #expect(twice?.hasSuffix("the setting 'log.level' is given twice") == true)
  }

  @Test(
    "in the file, a value of another type is refused",
    arguments: [
      (#"{"migrate": 1}"#, "the setting 'migrate' is a number; it must be true or false"),
      (#"{"database": ["a"]}"#, "the setting 'database' is a list; it must be one value"),
      (#"{"listen": [1]}"#, "the setting 'listen' is a list with an element that is not a string"),
      (#"{"database": null}"#, "the setting 'database' is null; omit it to use the default"),
      (#"{"database": {}}"#, "the setting 'database' is an object; it must be one value"),
      (#"{"log": "info"}"#, "'log' is a group of settings and must be an object"),
      (#"{"bulk": {"rows": 1e99}}"#, "bulk.rows is '1e+99'; it must be 1 to 100000"),
    ])
  func wrongTypes(text: String, words: String) throws {
    #expect(try problem(file: text)?.hasSuffix(words) == true)
  }

  @Test(
    "addresses that the machine does not distinguish are refused",
    arguments: [
      ("", "listen names no address"),
      (" , ", "listen is ''; it must be HOST:PORT with an IP address, or unix:PATH"),
      ("127.0.0.1:1,127.0.0.1:1", "listen names 127.0.0.1:1 twice"),
      ("[::1]:1, [0:0::1]:1", "listen names [::1]:1 and [0:0::1]:1, which are the same address"),
      ("unix:a,unix:./a", "listen names unix:a and unix:./a, which are the same address"),
    ])
  func addresses(text: String, words: String) throws {
    #expect(try problem(flags: ["listen": text]) == words)
  }

  @Test("spaces around an address, and several addresses with port 0, are accepted")
  func severalAddresses() throws {
    let listen = try settings(flags: ["listen": " 127.0.0.1:0 , 127.0.0.1:0"]).listen
    #expect(listen == [.tcp(host: "127.0.0.1", port: 0), .tcp(host: "127.0.0.1", port: 0)])
  }

  @Test(
    "settings that contradict each other are refused",
    arguments: [
      (["tls.cert": "a"], "tls.cert needs tls.key"), (["tls.key": "a"], "tls.key needs tls.cert"),
      (["tls.client.ca": "a"], "tls.client.ca needs tls.cert and tls.key"),
      (
        ["listen": "127.0.0.1:9", "metrics.listen": "127.0.0.1:9"],
        "metrics.listen is 127.0.0.1:9, an address of the service itself"
      ),
    ])
  func combinations(flags: [String: String], words: String) throws {
    #expect(try problem(flags: flags) == words)
  }

  @Test("TLS uses the named files")
  func tls() throws {
    #expect(try settings().tls == nil)
    let tls = try settings(flags: ["tls.cert": "a", "tls.key": "b", "tls.client.ca": "c"]).tls
    #expect(tls == .init(certificate: "a", key: "b", clientAuthorities: "c"))
  }

  @Test("the keys are beside the database by default, and in memory with an in-memory database")
  func keyFile() throws {
    #expect(try settings(flags: ["database": "a.db"]).authority.keys?.path == "a.db.keys")
    #expect(try settings(flags: ["database": "a.db", "auth.keys": "b"]).authority.keys?.path == "b")
    #expect(try settings(flags: ["database": ":memory:"]).authority.keys == nil)
    #expect(try settings(flags: ["database": ":memory:", "auth.keys": "b"]).authority.keys?.path == "b")
  }
}
