/// The cost of an Argon2id hash (RFC 9106 §3.1).
public struct Argon2Parameters: Hashable, Sendable {
  /// The memory in KiB.
  public let memoryKiB: Int
  /// The number of passes over the memory.
  public let iterations: Int
  /// The number of lanes, into which the memory is divided. One thread computes all.
  public let parallelism: Int

  /// The bounds of `memoryKiB` for new hashes: from OWASP's lowest row (Password Storage Cheat Sheet) to 512 MiB.
  public static let memoryBounds = 7_168...524_288
  /// The bounds of `iterations`.
  public static let iterationBounds = 1...10
  /// The bounds of `parallelism`.
  public static let parallelismBounds = 1...16
  /// The minimum of `memoryKiB` × `iterations` for new hashes: OWASP's cheapest row, 7,168 KiB × 5.
  public static let minimumWork = 35_840

  /// OWASP's recommendation: 19,456 KiB, 2 passes, 1 lane. About 22 ms on one core of a 2020s server.
  public static let recommended = Argon2Parameters(unchecked: 19_456, iterations: 2, parallelism: 1)

  /// The length of a new hash's random salt in bytes (RFC 9106 §4).
  static let saltLength = 16
  /// The length of a new hash's tag in bytes (RFC 9106 §4).
  static let tagLength = 32

  /// Creates parameters for new hashes.
  ///
  /// - Throws: `Argon2ParameterError` that names the violated bound.
  public init(memoryKiB: Int, iterations: Int, parallelism: Int) throws(Argon2ParameterError) {
    guard Self.memoryBounds.contains(memoryKiB) else {
      throw Argon2ParameterError("memory", "KiB", Self.memoryBounds, memoryKiB)
    }
    guard Self.iterationBounds.contains(iterations) else {
      throw Argon2ParameterError("iterations", "passes", Self.iterationBounds, iterations)
    }
    guard Self.parallelismBounds.contains(parallelism) else {
      throw Argon2ParameterError("parallelism", "lanes", Self.parallelismBounds, parallelism)
    }
    guard memoryKiB * iterations >= Self.minimumWork else {
      throw Argon2ParameterError(
        description: """
          argon2: \(memoryKiB) KiB × \(iterations) is weaker than OWASP's minimum; \
          memory × iterations must be at least \(Self.minimumWork)
          """)
    }
    self.init(unchecked: memoryKiB, iterations: iterations, parallelism: parallelism)
  }

  init(unchecked memoryKiB: Int, iterations: Int, parallelism: Int) {
    self.memoryKiB = memoryKiB
    self.iterations = iterations
    self.parallelism = parallelism
  }

  var memoryBytes: Int { memoryKiB * 1_024 }
  /// The time of a hash on one core of a 2020s server, as estimated.
  var time: Duration { .nanoseconds(560 * memoryKiB * iterations) }
}

/// Argon2 parameters outside their bounds.
public struct Argon2ParameterError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One line for an operator, with the value and the bounds.
  public let description: String

  init(description: String) {
    self.description = description
  }

  fileprivate init(_ name: String, _ unit: String, _ bounds: ClosedRange<Int>, _ value: Int) {
    description =
      "argon2: \(name) is \(value) \(unit); it must be \(bounds.lowerBound) to \(bounds.upperBound)"
  }
}
