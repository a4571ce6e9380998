/// Finds the Argon2id parameters that take a given time on this machine.
///
/// Passes and lanes are fixed and memory grows: memory is the main cost for an attacker with special hardware (RFC 9106
/// §4).
public struct Argon2Calibration: Sendable {
  /// Parameters, and the time of one hash with them: the fastest of `samples` runs.
  public struct Measurement: Hashable, Sendable {
    /// The parameters that were measured.
    public let parameters: Argon2Parameters
    /// The time of one hash.
    public let duration: Duration
  }

  private let iterations: Int
  private let parallelism: Int
  private let maximumMemoryKiB: Int
  private let samples: Int
  private let measure: @Sendable (Argon2Parameters) throws -> Duration

  /// Creates a calibration with these passes and lanes, and memory up to `maximumMemoryKiB`.
  ///
  /// - Throws: `Argon2ParameterError` if an argument is out of bounds.
  public init(
    iterations: Int, parallelism: Int, maximumMemoryKiB: Int, samples: Int = 3
  ) throws(Argon2ParameterError) {
    // The initializer checks the bounds of all three.
    _ = try Argon2Parameters(memoryKiB: maximumMemoryKiB, iterations: iterations, parallelism: parallelism)
    self.init(
      iterations: iterations, parallelism: parallelism, maximumMemoryKiB: maximumMemoryKiB, samples: samples,
      measure: Self.timeOneHash)
  }

  init(
    iterations: Int, parallelism: Int, maximumMemoryKiB: Int, samples: Int,
    measure: @escaping @Sendable (Argon2Parameters) throws -> Duration
  ) {
    self.iterations = iterations
    self.parallelism = parallelism
    self.maximumMemoryKiB = maximumMemoryKiB
    self.samples = samples
    self.measure = measure
  }

  /// Returns the strongest parameters found that take at most `target`, or the weakest allowed ones if even those take
  /// longer. Calls `report` with every measurement.
  ///
  /// - Throws: libargon2's refusals, such as for more memory than the machine has.
  public func run(target: Duration, report: (Measurement) -> Void) throws -> Measurement {
    let floor = max(
      Argon2Parameters.memoryBounds.lowerBound,
      (Argon2Parameters.minimumWork + iterations - 1) / iterations)
    var best = try fastest(floor)
    report(best)
    var last = best
    // Time is nearly proportional to memory: extrapolate, measure, and correct.
    for _ in 0..<6 {
      let aim = Double(last.parameters.memoryKiB) * (target / last.duration)
      let memory = min(Int(aim / 1_024) * 1_024, maximumMemoryKiB)
      if memory <= best.parameters.memoryKiB || memory == last.parameters.memoryKiB { break }
      last = try fastest(memory)
      report(last)
      if last.duration <= target { best = last }
    }
    return best
  }

  private func fastest(_ memoryKiB: Int) throws -> Measurement {
    let parameters = Argon2Parameters(unchecked: memoryKiB, iterations: iterations, parallelism: parallelism)
    var best = try measure(parameters)
    for _ in 1..<max(samples, 1) { best = min(best, try measure(parameters)) }
    return Measurement(parameters: parameters, duration: best)
  }

  @Sendable private static func timeOneHash(_ parameters: Argon2Parameters) throws -> Duration {
    let salt = [UInt8](repeating: 0x5a, count: Argon2Parameters.saltLength)
    return try ContinuousClock().measure {
      _ = try Argon2.hash(
        "correct horse battery staple", salt: salt, parameters: parameters,
        tagLength: Argon2Parameters.tagLength)
    }
  }
}
