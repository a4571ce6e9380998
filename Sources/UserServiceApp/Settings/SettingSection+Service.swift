import Logging
import UserAPI

extension SettingSection {
  /// The settings that have flags.
  static let service = SettingSection(
    title: "Service",
    introduction: nil,
    settings: [
      Setting(
        "database", \.database, .database("a path, :memory:, or a postgres:// URI"), flag: .option("path"),
        "Keep the users in this SQLite file, in memory (:memory:), or in this PostgreSQL database (postgres://…).",
        note: "Any other text is a path. See [PostgreSQL](postgresql.md)."),
      Setting(
        "listen", \.listen, .addresses, flag: .option("address"),
        "Listen at this IP address and port (HOST:PORT) or Unix-domain socket (unix:PATH); can be given several times.",
        note: "The file accepts a list. Port 0 stands for any free port."),
      Setting(
        "tls.cert", \.tlsFiles.certificate, .path(unset: "cleartext"),
        flag: .option("path"),
        "Serve over TLS with the certificate chain in this PEM file, the service's own certificate first."),
      Setting(
        "tls.key", \.tlsFiles.key, .path(unset: "none"), flag: .option("path"),
        "Use the private key in this PEM file with the certificate."),
      Setting(
        "tls.client.ca", \.tlsFiles.clientAuthorities, .path(unset: "none"),
        flag: .option("path"),
        "Require client certificates signed by an authority in this PEM file.",
        note: "Without it, clients need no certificate."),
      Setting(
        "auth.mode", \.auth.isOn, .onOrOff, flag: .option("mode"), flagName: "auth",
        "Require tokens (on), or let every caller do everything (off), for development only."),
      Setting(
        "insecure", \.auth.mayBeExposed, .truth, flag: .switch,
        "Listen where other machines can reach the service even with --auth off."),
      Setting(
        "migrate", \.migrates, .truth, flag: .toggle,
        "Migrate an empty or older database instead of refusing it."),
      Setting(
        "take.over", \.takesOver, .truth, flag: .switch,
        "Serve a database that another service still serves, for a rolling restart, instead of refusing it.",
        note: "See [one service a database](operations.md#one-service-a-database)."),
      Setting(
        "reflection", \.offersReflection, .truth, flag: .toggle,
        "Offer gRPC server reflection."),
      Setting(
        "log.level", \.logLevel, .choice, flag: .option("level"),
        "Log at this level and above: \(SettingForm<Logger.Level>.choice.values)."),
      Setting(
        "log.format", \.logFormat, .choice, flag: .option("format"),
        "Write the log as lines for people (text), or as one JSON object a line (json)."),
      Setting(
        "shutdown.grace", \.shutdownGrace, .duration(.zero ... .longest),
        flag: .option("duration"),
        "After a signal to stop, let running calls finish for this long."),
      Setting(
        "bulk.rows", \.bulkRows, .whole(BulkLimits.rowBounds),
        flag: .option("count"),
        "Accept at most this many rows in one bulk call."),
      Setting(
        "deleted.retention", \.deletedRetention, .duration(.zero ... .longest),
        flag: .option("duration"),
        "Purge deleted users after this time; until then they can be undeleted.",
        note: "It applies to users that are deleted from then on."),
      Setting(
        "metrics.listen", \.metrics, .optional(.ipAddress, unset: "nowhere"),
        flag: .option("address"),
        "Serve Prometheus metrics at this IP address and port (HOST:PORT), over HTTP and without a token.",
        note: "See [metrics](operations.md#metrics)."),
    ] + passwordCost,
    remarks: """
      With TLS, every address accepts only HTTP/2, over TLS 1.3 or over TLS 1.2 with ECDHE and AES-GCM or
      ChaCha20-Poly1305. A client that offers other protocols gets the alert `no_application_protocol`. The files are
      reloaded within 10 seconds of a change, and at once at SIGHUP. New connections then use the new certificate; an
      unusable one is logged and ignored. The service does not start with a key that does not match the certificate or
      that others can read. `user-service health --tls-ca FILE` checks such a service.

      Files with secrets (`auth.keys`, `tls.key`, `auth.jwks.file` with HS256 keys) must be private to their owner, or
      readable (0640, 0440) by a group that the service belongs to. Symbolic links are followed, as Kubernetes mounts
      secrets through them.
      """)

  private static let passwordCost = [
    Setting(
      "argon2.memory", \.passwords.memoryKiB, .whole(PasswordConfiguration.memoryBounds),
      flag: .option("KiB"),
      "Use this many KiB of memory for a new password hash."),
    Setting(
      "argon2.iterations", \.passwords.iterations, .whole(PasswordConfiguration.iterationBounds),
      flag: .option("count"),
      "Make this many passes over the memory of a new password hash.",
      note: "`argon2.memory` × `argon2.iterations` must be at least \(PasswordConfiguration.minimumWork)."),
    Setting(
      "argon2.parallelism", \.passwords.parallelism, .whole(PasswordConfiguration.parallelismBounds),
      flag: .option("count"),
      "Divide the memory of a new password hash into this many lanes."),
  ]
}
