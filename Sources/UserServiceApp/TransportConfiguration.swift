import Configuration
import GRPCNghttp2Transport

/// The transport's settings, `grpc.*` and `unix.socket.mode`: grpc-go's names in lower case, with dots between the
/// words. None has a flag.
enum TransportConfiguration {
  private typealias Transport = Nghttp2ServerTransport.Configuration

  /// A setting: its default as it is written, and how it is applied. `apply` returns false for a value out of
  /// bounds.
  private struct Setting: Sendable {
    let name: String
    let standard: String
    let form: String
    let apply: @Sendable (inout Transport, String) -> Bool
  }

  private static func size(
    _ name: String, _ standard: Int, _ bounds: ClosedRange<Int>,
    _ path: any WritableKeyPath<Transport, Int> & Sendable
  ) -> Setting {
    Setting(
      name: name, standard: String(standard), form: "\(bounds.lowerBound) to \(bounds.upperBound)"
    ) { configuration, text in
      guard let value = Int(text), bounds.contains(value) else { return false }
      configuration[keyPath: path] = value
      return true
    }
  }

  private static func time(
    _ name: String, _ standard: String, _ path: any WritableKeyPath<Transport, Duration> & Sendable,
    mayBeZero: Bool = false
  ) -> Setting {
    Setting(name: name, standard: standard, form: "a duration such as 30s") { configuration, text in
      guard let value = Duration(text: text), mayBeZero || value > .zero else { return false }
      configuration[keyPath: path] = value
      return true
    }
  }

  private static func optionalTime(
    _ name: String, _ path: any WritableKeyPath<Transport, Duration?> & Sendable
  ) -> Setting {
    Setting(name: name, standard: "none", form: "a duration such as 30s, or none") { configuration, text in
      guard text != "none" else { return true }
      guard let value = Duration(text: text), value > .zero else { return false }
      configuration[keyPath: path] = value
      return true
    }
  }

  private static let settings: [Setting] = [
    size("grpc.max.concurrent.streams", 100, 1...100_000, \.maxConcurrentStreams),
    size("grpc.max.header.list.size", 8_192, 1_024...1_048_576, \.maxHeaderListSize),
    size("grpc.initial.window.size", 65_536, 1...1_073_741_824, \.initialWindowSize),
    size("grpc.initial.conn.window.size", 524_288, 65_535...1_073_741_824, \.initialConnectionWindowSize),
    size("grpc.max.recv.msg.size", 4_194_304, 1...1_073_741_824, \.maxReceiveMessageSize),
    size("grpc.max.send.msg.size", 2_147_483_647, 1...2_147_483_647, \.maxSendMessageSize),
    size("grpc.max.connection.memory", 1_048_576, 65_536...1_073_741_824, \.maxConnectionMemory),
    size("grpc.max.memory", 268_435_456, 1_048_576...1_099_511_627_776, \.maxMemory),
    size("grpc.max.connections", 10_000, 1...1_000_000, \.maxConnections),
    Setting(name: "grpc.max.network.connections", standard: "auto", form: "1 to 1000000, auto or none") {
      configuration, text in
      switch text {
      case "auto": configuration.networkShare = .automatic
      case "none": configuration.networkShare = .unlimited
      default:
        guard let count = Int(text), (1...1_000_000).contains(count) else { return false }
        configuration.networkShare = .connections(count)
      }
      return true
    },
    Setting(name: "unix.socket.mode", standard: "0600", form: "permissions in octal, 0600 to 0777") {
      configuration, text in
      // The service itself, and so its owner, reads and writes.
      guard text.count <= 4, let mode = UInt32(text, radix: 8), mode & ~0o777 == 0, mode & 0o600 == 0o600
      else {
        return false
      }
      configuration.unixSocketMode = mode
      return true
    },
    time("grpc.connection.timeout", "20s", \.connectionTimeout),
    time("grpc.receive.timeout", "1m", \.receiveTimeout),
    time("grpc.send.timeout", "5m", \.sendTimeout),
    time("grpc.keepalive.time", "2h", \.keepalive.time),
    time("grpc.keepalive.timeout", "20s", \.keepalive.timeout),
    time("grpc.keepalive.min.time", "10s", \.enforcementPolicy.minTime, mayBeZero: true),
    optionalTime("grpc.max.connection.idle", \.keepalive.maxConnectionIdle),
    optionalTime("grpc.max.connection.age", \.keepalive.maxConnectionAge),
    optionalTime("grpc.max.connection.grace", \.keepalive.maxConnectionAgeGrace),
    Setting(name: "grpc.inline", standard: "true", form: "true or false") { configuration, text in
      guard let value = Bool(text) else { return false }
      configuration.answersInline = value
      return true
    },
    Setting(
      name: "grpc.compression", standard: "identity",
      form: MessageEncoding.allCases.map(\.rawValue).joined(separator: ", ")
    ) { configuration, text in
      guard let encoding = MessageEncoding(rawValue: text) else { return false }
      configuration.compression = encoding
      return true
    },
    size("grpc.compression.min.size", 1_024, 0...1_073_741_824, \.compressionMinSize),
  ]

  /// Names and defaults, as ``ServiceConfiguration`` wants them.
  static var defaults: [(String, String)] { settings.map { ($0.name, $0.standard) } }

  /// Reads the settings with `read`.
  ///
  /// - Throws: `ServiceConfiguration.Invalid` for a value that cannot be used, and what `read` throws.
  static func make(_ read: (String) throws -> String) throws -> Nghttp2ServerTransport.Configuration {
    var configuration = Transport()
    for setting in settings {
      let text = try read(setting.name)
      guard setting.apply(&configuration, text) else {
        throw ServiceConfiguration.Invalid(
          description: "\(setting.name) is '\(text)'; it must be \(setting.form)")
      }
    }
    return configuration
  }
}
