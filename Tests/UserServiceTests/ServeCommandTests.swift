import Foundation
import GRPCCore
import TestSupport
import Testing
import UserProtos

/// `serve` as an operator runs it: start, settings, signals, exit codes.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct ServeCommandTests {
  private let directory: TemporaryDirectory
  private let database: String

  init() throws {
    directory = try TemporaryDirectory()
    database = directory.path("users.db")
  }

  private func failure(_ arguments: [String], environment: [String: String] = [:]) async throws -> (
    Int32, String
  ) {
    do {
      let service = try await RunningService(arguments, environment: environment)
      await service.stop()
      Issue.record("it started: \(service.startLine)")
      return (0, "")
    } catch let error as RunningService.NotStarted {
      return (error.status, error.errors)
    }
  }

  @Test(
    "it creates and migrates its database, prints its address, and exits with 0 on a signal",
    arguments: [SIGTERM, SIGINT])
  func startAndStop(signal: Int32) async throws {
    let service = try await RunningService(["--database", database])
    #expect(
      service.startLine.hasPrefix(
        "user-service 0.1.0 listening on 127.0.0.1:\(service.port), database \(database)"))
    let health = try await Program.run("user-service", ["health", "--address", "127.0.0.1:\(service.port)"])
    #expect(health.output == "serving\n")
    #expect(health.status == 0)
    service.signal(signal)
    #expect(await service.waitUntilExit().status == 0)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted()
        == ["users.db", "users.db.keys"])
    let verified = try await Program.run("user-service", ["migrate", "verify", "--database", database])
    #expect(verified.status == 0)
  }

  @Test("health exits with 1 without an answer, or for an unknown service")
  func unhealthy() async throws {
    let service = try await RunningService(["--database", database])
    let unknown = try await Program.run(
      "user-service", ["health", "--address", "127.0.0.1:\(service.port)", "--service", "nobody"])
    #expect(unknown.status == 1)
    await service.stop()
    let nobody = try await Program.run(
      "user-service", ["health", "--address", "127.0.0.1:\(service.port)", "--timeout", "300ms"])
    #expect(nobody.status == 1)
    #expect(nobody.errors.contains("no service answers there") || nobody.errors.contains("no answer within"))
  }

  @Test("a port in use is one line and exit code 1")
  func portInUse() async throws {
    let service = try await RunningService(["--database", database])
    let (status, errors) = try await failure(
      ["--database", directory.path("other.db"), "--listen", "127.0.0.1:\(service.port)"])
    #expect(status == 1)
    #expect(errors.contains("cannot listen on 127.0.0.1:\(service.port)"))
    #expect(errors.contains("the address is in use; stop the other program or choose another port"))
    #expect(!errors.contains("errno"))
    await service.stop()
  }

  @Test(
    "an invalid setting is reported in one line that names it",
    arguments: [
      (["--listen", "somewhere"], "listen"), (["--listen", "127.0.0.1:99999"], "listen"),
      (["--listen", "example.com:1"], "listen"), (["--log-level", "loud"], "log.level"),
      (["--log-format", "xml"], "log.format"), (["--shutdown-grace", "soon"], "shutdown.grace"),
      (["--bulk-rows", "0"], "bulk.rows"), (["--bulk-rows", "100001"], "bulk.rows"),
      (["--argon2-memory", "1024"], "argon2"), (["--argon2-iterations", "1"], "argon2"),
      (["--argon2-memory", "300000"], "argon2.budget"),
      (["--metrics-listen", "somewhere"], "metrics.listen"),
      (["--listen", "127.0.0.1:9", "--metrics-listen", "127.0.0.1:9"], "metrics.listen"),
      (["--database", ""], "database"), (["--database", "/nonexistent/users.db"], "/nonexistent/users.db"),
      (["--database", "/dev/null"], "/dev/null"),
      (["--config", "/nonexistent.json"], "/nonexistent.json: no such file"),
      (["--config", "/tmp"], "/tmp: it is a folder"),
      (["--listen", "127.0.0.1:1,127.0.0.1:1"], "listen names 127.0.0.1:1 twice"),
      (["--listen", "[::1]:1", "--listen", "[0:0::1]:1"], "listen names [::1]:1 and [0:0::1]:1"),
      (["--listen", "unix:a,unix:./a"], "listen names unix:a and unix:./a, which are the same"),
      (["--listen", "unix:/run/a,unix:/run/../run/a"], "which are the same"),
      (["--listen", "999.0.0.1:1"], "listen is '999.0.0.1:1'"),
      (["--listen", "192.0.2.1:0", "--insecure"], "this machine does not have the address"),
      (["--metrics-listen", "192.0.2.1:0"], "for metrics: this machine does not have the address"),
      (["--listen", "unix:/nonexistent/folder/socket"], "the folder does not exist"),
      (["--listen", "unix:/tmp/\(String(repeating: "x", count: 120))"], "the path has 125 bytes"),
    ])
  func badSettings(arguments: [String], words: String) async throws {
    let (status, errors) = try await failure(["--database", database] + arguments)
    #expect(status == 1)
    #expect(errors.contains(words))
    #expect(errors.split(separator: "\n").count == 1, "\(errors)")
  }

  @Test(
    "an invalid setting without a flag is reported in one line too",
    arguments: [
      ("argon2.threads", "0"), ("argon2.threads", ""), ("argon2.queue", "-1"), ("argon2.queue", "1000001"),
      ("argon2.budget", "7167"), ("argon2.budget", "99999999999999999999"), ("peer.rate", "0"),
      ("grpc.max.connections", "none"), ("grpc.max.network.connections", "0"), ("unix.socket.mode", "0400"),
      ("unix.socket.mode", "1777"), ("unix.socket.mode", "rw"),
    ])
  func badSettingsWithoutFlags(name: String, value: String) async throws {
    let variable = "USER_SERVICE_" + name.uppercased().replacing(".", with: "_")
    let (status, errors) = try await failure(["--database", database], environment: [variable: value])
    #expect(status == 1)
    #expect(errors.contains(name) && errors.split(separator: "\n").count == 1, "\(errors)")
  }

  @Test("flags precede the environment, the environment the file, and the file the defaults")
  func precedence() async throws {
    let file = directory.path("settings.json")
    try Data(#"{"database": "\#(directory.path("file.db"))", "log": {"level": "loud"}}"#.utf8)
      .write(to: URL(fileURLWithPath: file))
    // The file's log level is invalid, so the error shows that the file is read.
    let fromFile = try await failure(["--config", file])
    #expect(fromFile.1.contains("log.level is 'loud'"))
    let service = try await RunningService(
      ["--config", file, "--log-level", "error"],
      environment: ["USER_SERVICE_DATABASE": database, "USER_SERVICE_LOG_LEVEL": "silent"])
    #expect(service.startLine.contains(database))
    await service.stop()
    #expect(!FileManager.default.fileExists(atPath: directory.path("file.db")))
  }

  @Test(
    "an invalid file of settings is reported in one line with the place",
    arguments: [
      ("{", "settings.json, line 1, column 2: a name in quotes is missing"),
      ("[]", "settings.json: the file must be one JSON object"),
      ("{\"database\": null}", "the setting 'database' is null"),
      ("{\"database\": {\"path\": \"x\"}}", "the setting 'database' is an object"),
      ("{\"log\": \"info\"}", "'log' is a group of settings"),
      ("{\"listen\": [1, \"x\"]}", "the setting 'listen' is a list with an element that is not a string"),
      ("{\"log\": {\"level\": true}}", "log.level is 'true'"),
      ("{\"shutdown\": {\"grace\": 30}}", "shutdown.grace is '30'; it must be a duration such as 30s"),
    ])
  func badFile(text: String, words: String) async throws {
    let file = directory.path("settings.json")
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    let (status, errors) = try await failure(["--database", self.database, "--config", file])
    #expect(status == 1)
    #expect(errors.contains(words) && errors.split(separator: "\n").count == 1, "\(errors)")
    for word in ["NSCocoaErrorDomain", "JSONConfigError", "errno", "ConfigError"] {
      #expect(!errors.contains(word))
    }
  }

  @Test("true and false are accepted in the file")
  func booleans() async throws {
    let file = directory.path("settings.json")
    try Data(#"{"grpc": {"inline": true, "max": {"connections": 9}}}"#.utf8)
      .write(to: URL(fileURLWithPath: file))
    let service = try await RunningService(["--database", self.database, "--config", file])
    #expect(await service.stop().status == 0)
  }

  @Test("a misspelt setting in the file is refused")
  func misspelt() async throws {
    let file = directory.path("settings.json")
    try Data(#"{"log": {"levle": "info"}}"#.utf8).write(to: URL(fileURLWithPath: file))
    let (status, errors) = try await failure(["--database", database, "--config", file])
    #expect(status == 1)
    #expect(errors.contains("log.levle"))
  }

  @Test("--no-migrate refuses a database that is not migrated, and serves one that is")
  func noMigrate() async throws {
    let missing = try await failure(["--database", database, "--no-migrate"])
    #expect(missing.1.contains("no such database"))
    _ = try await Program.run("user-service", ["migrate", "up", "--database", database, "--to", "1"])
    let pending = try await failure(["--database", database, "--no-migrate"])
    #expect(pending.1.contains("0002_create_password_credentials"))
    _ = try await Program.run("user-service", ["migrate", "up", "--database", database])
    let service = try await RunningService(["--database", database, "--no-migrate"])
    #expect(await service.stop().status == 0)
  }

  @Test("the log has one line a call, as text or as JSON, without passwords", arguments: ["text", "json"])
  func log(format: String) async throws {
    let service = try await RunningService(["--database", database, "--log-format", format])
    try await withUsers(service) { users in
      var request = CreateUser()
      (request.email, request.password) = ("ada@example.com", "s3cret-s3cret")
      _ = try await users.createUser(request, metadata: ["x-request-id": "request-17"])
    }
    let log = await service.stop().errors
    let lines = log.split(separator: "\n").filter { $0.contains("CreateUser") }
    #expect(lines.count == 1)
    let line = try #require(lines.first)
    for word in ["user.v1.UserService/CreateUser", "ok", "duration_ms", "ipv4:127.0.0.1", "request-17"] {
      #expect(line.contains(word))
    }
    #expect(!log.contains("s3cret"))
    if format == "json" {
      for line in log.split(separator: "\n") {
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
      }
    }
  }

  @Test("a call that fails is logged too, with its status")
  func failedCall() async throws {
    let service = try await RunningService(["--database", database])
    try await withUsers(service) { users in
      _ = try await Failure { try await users.createUser(CreateUser("nobody")) }
      _ = try await Failure { try await users.list(pageSize: -1) }
    }
    let lines = await service.stop().errors.split(separator: "\n").filter { $0.contains("invalidArgument") }
    #expect(lines.count == 2)
  }

  @Test("an unwritable log does not stop the service", arguments: ["text", "json"])
  func brokenLog(format: String) async throws {
    let service = try await RunningService(
      ["--database", database, "--log-format", format], errorsTo: "/dev/full")
    try await withUsers(service) { users in
      for number in 0..<3 { _ = try await users.createUser(CreateUser("user\(number)@example.com")) }
    }
    #expect(await service.stop().status == 0)
  }

  @Test("health connects to the address in USER_SERVICE_LISTEN")
  func healthOfListen() async throws {
    let service = try await RunningService(["--database", database])
    let health = try await Program.run(
      "user-service", ["health"], environment: ["USER_SERVICE_LISTEN": "0.0.0.0:\(service.port)"])
    #expect(health.status == 0)
    await service.stop()
  }

  @Test("health says in one line which certificates cannot be used, as every command does")
  func healthWithoutCertificate() async throws {
    let path = directory.path("authorities.pem")
    try Data("no certificate".utf8).write(to: URL(fileURLWithPath: path))
    for command in [["health"], ["users", "get", "someone", "--token-file", path]] {
      let done = try await Program.run(
        "user-service", command + ["--address", "127.0.0.1:1", "--tls-ca", path])
      #expect(done.status == 1)
      #expect(done.errors.hasPrefix("Error: the certificates cannot be used: "))
      #expect(done.errors.split(separator: "\n").count == 1)
    }
  }

  @Test("version prints the version")
  func version() async throws {
    for arguments in [["version"], ["--version"]] {
      let done = try await Program.run("user-service", arguments)
      #expect(done.output == "user-service 0.1.0\n" && done.status == 0)
    }
  }
}
