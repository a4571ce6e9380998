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

  /// The settings that the flags, the environment or the file give, and no others.
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

  @Test("a flag goes before the environment, that before the file, that before the default")
  func precedence() throws {
    let environment = ["USER_SERVICE_BULK_ROWS": "2"]
    let text = #"{"bulk": {"rows": 3}}"#
    #expect(try settings(flags: ["bulk.rows": "1"], file: text, environment: environment).bulkRows == 1)
    #expect(try settings(file: text, environment: environment).bulkRows == 2)
    #expect(try settings(file: text).bulkRows == 3)
    #expect(try settings().bulkRows == 100_000)
  }

  @Test("an empty variable is a value: it hides the file's")
  func emptyVariable() throws {
    let text = #"{"metrics": {"listen": "127.0.0.1:9"}}"#
    #expect(try settings(file: text).metrics == .tcp(host: "127.0.0.1", port: 9))
    #expect(try settings(file: text, environment: ["USER_SERVICE_METRICS_LISTEN": ""]).metrics == nil)
  }

  @Test("a flag may give every setting, and so may the file")
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

  @Test("a setting that does not exist is refused, in the file and as a flag")
  func unknown() throws {
    #expect(try problem(flags: ["log.levle": "info"]) == "there is no setting 'log.levle'")
    #expect(
      try problem(file: #"{"log": {"levle": "info"}}"#)?.hasSuffix("there is no setting 'log.levle'") == true)
  }

  @Test(
    "truth values are read as people write them",
    arguments: [
      ("true", true), ("TRUE", true), ("yes", true), ("1", true), ("false", false), ("No", false),
      ("0", false),
    ])
  func truth(text: String, value: Bool) throws {
    #expect(try settings(environment: ["USER_SERVICE_MIGRATE": text]).migrates == value)
    #expect(try settings(environment: ["USER_SERVICE_GRPC_INLINE": text]).transport.answersInline == value)
  }

  @Test("in the file, a number or a truth value may be written as such, and a list as a list")
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

  @Test("in the file, the words of a name are objects or one key, and a name may begin another")
  func keys() throws {
    let flat = try settings(file: #"{"log.level": "error", "grpc.compression.min.size": 9}"#)
    #expect(flat.logLevel == .error && flat.transport.compressionMinSize == 9)
    let both = try settings(file: #"{"grpc": {"compression": "gzip", "compression.min": {"size": 9}}}"#)
    #expect(both.transport.compression == .gzip && both.transport.compressionMinSize == 9)
    let twice = try problem(file: #"{"log": {"level": "info"}, "log.level": "error"}"#)
    #expect(twice?.hasSuffix("the setting 'log.level' is there twice") == true)
  }

  @Test(
    "in the file, a value of another type is refused",
    arguments: [
      (#"{"migrate": 1}"#, "the setting 'migrate' is a number; it must be true or false"),
      (#"{"database": ["a"]}"#, "the setting 'database' is a list; it must be one value"),
      (#"{"listen": [1]}"#, "the setting 'listen' is a list of something other than texts"),
      (#"{"database": null}"#, "the setting 'database' is null; leave it out for its default"),
      (#"{"database": {}}"#, "the setting 'database' is an object; it must be one value"),
      (#"{"log": "info"}"#, "'log' is a group of settings and must be an object"),
      (#"{"bulk": {"rows": 1e99}}"#, "bulk.rows is '1e+99'; it must be 1 to 100000"),
    ])
  func wrongTypes(text: String, words: String) throws {
    #expect(try problem(file: text)?.hasSuffix(words) == true)
  }

  @Test(
    "addresses are told apart as the machine tells them apart",
    arguments: [
      ("", "listen names no address"),
      (" , ", "listen is ''; it must be HOST:PORT with an IP address, or unix:PATH"),
      ("127.0.0.1:1,127.0.0.1:1", "listen names 127.0.0.1:1 twice"),
      ("[::1]:1, [0:0::1]:1", "listen names [::1]:1 and [0:0::1]:1, which are the same"),
      ("unix:a,unix:./a", "listen names unix:a and unix:./a, which are the same"),
    ])
  func addresses(text: String, words: String) throws {
    #expect(try problem(flags: ["listen": text]) == words)
  }

  @Test("spaces around an address, and several times port 0, are accepted")
  func severalAddresses() throws {
    let listen = try settings(flags: ["listen": " 127.0.0.1:0 , 127.0.0.1:0"]).listen
    #expect(listen == [.tcp(host: "127.0.0.1", port: 0), .tcp(host: "127.0.0.1", port: 0)])
  }

  @Test(
    "settings that do not fit each other are refused",
    arguments: [
      (["tls.cert": "a"], "tls.cert needs tls.key"), (["tls.key": "a"], "tls.key needs tls.cert"),
      (["tls.client.ca": "a"], "tls.client.ca needs tls.cert and tls.key"),
      (
        ["listen": "127.0.0.1:9", "metrics.listen": "127.0.0.1:9"],
        "metrics.listen is 127.0.0.1:9, where the service itself listens"
      ),
    ])
  func combinations(flags: [String: String], words: String) throws {
    #expect(try problem(flags: flags) == words)
  }

  @Test("TLS has the files that are named")
  func tls() throws {
    #expect(try settings().tls == nil)
    let tls = try settings(flags: ["tls.cert": "a", "tls.key": "b", "tls.client.ca": "c"]).tls
    #expect(tls == .init(certificate: "a", key: "b", clientAuthorities: "c"))
  }

  @Test("the keys are beside the database unless they are named, and in memory with a database in memory")
  func keyFile() throws {
    #expect(try settings(flags: ["database": "a.db"]).authority.keys?.path == "a.db.keys")
    #expect(try settings(flags: ["database": "a.db", "auth.keys": "b"]).authority.keys?.path == "b")
    #expect(try settings(flags: ["database": ":memory:"]).authority.keys == nil)
    #expect(try settings(flags: ["database": ":memory:", "auth.keys": "b"]).authority.keys?.path == "b")
  }
}
