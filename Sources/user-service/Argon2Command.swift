import ArgumentParser
import Foundation
import PasswordHashing

/// `user-service argon2`: the cost of password hashes.
struct Argon2Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "argon2",
    abstract: "Choose the cost of password hashes.",
    subcommands: [Calibrate.self]
  )

  struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Suggest Argon2id parameters that take a given time on this machine.",
      discussion: """
        Keeps passes and lanes as given and raises memory until a hash takes --target. Run it on the machine that will \
        serve, while that machine is otherwise idle.
        """)

    @Option(help: ArgumentHelp("Let one hash take at most this long.", valueName: "duration"))
    var target = DurationArgument(.milliseconds(250))
    @Option(help: ArgumentHelp("Make this many passes over the memory, 1 to 10.", valueName: "count"))
    var iterations = Argon2Parameters.recommended.iterations
    @Option(
      help: ArgumentHelp(
        "Divide the memory into this many lanes, 1 to 16, which one thread computes.", valueName: "count"))
    var parallelism = Argon2Parameters.recommended.parallelism
    @Option(help: ArgumentHelp("Use at most this much memory for one hash, up to 524288.", valueName: "KiB"))
    var maxMemory = Argon2Parameters.memoryBounds.upperBound

    func validate() throws {
      if target.duration <= .zero { throw ValidationError("--target must be more than 0") }
    }

    func run() throws {
      let calibration = try Argon2Calibration(
        iterations: iterations, parallelism: parallelism, maximumMemoryKiB: maxMemory)
      let best = try calibration.run(target: target.duration) { measurement in
        Terminal.note("measured \(Self.words(for: measurement))")
      }
      print("memory=\(best.parameters.memoryKiB)KiB iterations=\(iterations) parallelism=\(parallelism)")
      print(
        "One hash takes \(Self.milliseconds(best.duration)), so a core can check \(Self.rate(best)) passwords a second."
      )
      if best.duration > target.duration {
        Terminal.note("This is the weakest permitted hash, and it takes longer than the target.")
      }
    }

    private static func words(for measurement: Argon2Calibration.Measurement) -> String {
      let parameters = measurement.parameters
      return """
        \(parameters.memoryKiB) KiB × \(parameters.iterations): \(milliseconds(measurement.duration))
        """
    }

    private static func milliseconds(_ duration: Duration) -> String {
      String(format: "%.1f ms", duration / .milliseconds(1))
    }

    private static func rate(_ measurement: Argon2Calibration.Measurement) -> String {
      String(format: "%.1f", Duration.seconds(1) / measurement.duration)
    }
  }
}
