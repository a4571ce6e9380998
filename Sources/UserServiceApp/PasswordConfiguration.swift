public import PasswordHashing
import TokenSigning
import UserDomain

/// The settings `argon2.*`: what password hashes cost, and what they may take of the machine; and `password.*`: what
/// passwords have to be.
public struct PasswordConfiguration: Sendable {
  /// `argon2.memory` (KiB), `argon2.iterations`, `argon2.parallelism`: the cost of new password hashes.
  public let parameters: Argon2Parameters
  /// `argon2.threads`, 1 to 1,024: hashes at once. `argon2.budget`, in KiB, at least `argon2.memory` and at most 2^30:
  /// what they may use together, and so what the largest hash that is stored may need; a password whose hash needs
  /// more cannot be checked. `argon2.queue`, 0 to 1,000,000: hashes that may wait.
  public let limits: HashingLimits
  /// `password.min.length`, 6 to 64, 8 by default: the shortest new password, in characters.
  public let minimumLength: Int

  private static let standardLimits = HashingLimits()

  /// Names and defaults of the texts.
  static let defaults: [(String, String)] = [
    ("argon2.memory", "\(Argon2Parameters.recommended.memoryKiB)"),
    ("argon2.iterations", "\(Argon2Parameters.recommended.iterations)"),
    ("argon2.parallelism", "\(Argon2Parameters.recommended.parallelism)"),
    ("argon2.threads", "\(standardLimits.threads)"),
    ("argon2.budget", "\(standardLimits.memoryBudget >> 10)"),
    ("argon2.queue", "\(standardLimits.queueLength)"),
    ("password.min.length", "\(PasswordPolicy().minimumLength)"),
  ]

  /// Reads the settings with `read`.
  ///
  /// - Throws: `ServiceConfiguration.Invalid` for a value that cannot be used, and what `read` throws.
  init(_ read: (String) throws -> String) throws {
    func number(_ name: String) throws -> Int {
      let text = try read(name)
      guard let number = Int(text) else {
        throw ServiceConfiguration.Invalid(description: "\(name) is '\(text)'; it must be a whole number")
      }
      return number
    }
    func number(_ name: String, _ bounds: ClosedRange<Int>) throws -> Int {
      let number = try number(name)
      guard bounds.contains(number) else {
        throw ServiceConfiguration.Invalid(
          description: "\(name) is \(number); it must be \(bounds.lowerBound) to \(bounds.upperBound)")
      }
      return number
    }
    do {
      parameters = try Argon2Parameters(
        memoryKiB: number("argon2.memory"), iterations: number("argon2.iterations"),
        parallelism: number("argon2.parallelism"))
    } catch let error as Argon2ParameterError {
      throw ServiceConfiguration.Invalid(description: error.description)
    }
    minimumLength = try number("password.min.length", PasswordPolicy.minimumLengthBounds)
    let budget = try number("argon2.budget", Argon2Parameters.memoryBounds.lowerBound...1 << 30)
    guard parameters.memoryKiB <= budget else {
      throw ServiceConfiguration.Invalid(
        description: "argon2.budget is \(budget) KiB, less than the \(parameters.memoryKiB) of argon2.memory")
    }
    limits = HashingLimits(
      threads: try number("argon2.threads", 1...1_024),
      memoryBudget: budget << 10,
      queueLength: try number("argon2.queue", 0...1_000_000))
  }
}

extension ServiceConfiguration {
  /// What new passwords have to be. None may be the service's name: the program's, or what the service calls itself in
  /// tokens.
  var passwordPolicy: PasswordPolicy {
    PasswordPolicy(
      minimumLength: passwords.minimumLength, serviceNames: ["user-service", auth.authority.issuer])
  }
}
