public import PasswordHashing
import UserDomain

/// The settings `argon2.*`, the cost of password hashes and their share of the machine, and `password.*`, the rules
/// for new passwords. Each property is a ``Setting`` and starts as its default.
public struct PasswordConfiguration: Sendable {
  /// Bounds of ``memoryKiB``.
  static let memoryBounds = Argon2Parameters.memoryBounds
  /// Bounds of ``iterations``.
  static let iterationBounds = Argon2Parameters.iterationBounds
  /// Bounds of ``parallelism``.
  static let parallelismBounds = Argon2Parameters.parallelismBounds
  /// The least ``memoryKiB`` × ``iterations``.
  static let minimumWork = Argon2Parameters.minimumWork
  /// Bounds of ``budgetKiB``.
  static let budgetBounds = Argon2Parameters.memoryBounds.lowerBound...1 << 30

  private static let usual = HashingLimits()

  /// The memory of a new password hash, in KiB.
  var memoryKiB = Argon2Parameters.recommended.memoryKiB
  /// Passes over the memory of a new password hash.
  var iterations = Argon2Parameters.recommended.iterations
  /// Lanes of a new password hash.
  var parallelism = Argon2Parameters.recommended.parallelism
  /// Hashes computed at once; nil for the number of cores.
  var threads: Int?
  /// The memory of all running hashes together, in KiB, and thus of the largest stored hash that can be checked.
  var budgetKiB = usual.memoryBudget >> 10
  /// The most hashes that may be queued.
  var queueLength = usual.queueLength
  /// The minimum length of a new password, in characters.
  var minimumLength = PasswordPolicy().minimumLength

  /// The cost of new password hashes.
  public private(set) var parameters = Argon2Parameters.recommended

  /// The share of the machine for password hashes. A stored hash that needs more cannot be checked.
  public var limits: HashingLimits {
    HashingLimits(threads: threads, memoryBudget: budgetKiB << 10, queueLength: queueLength)
  }

  /// Checks the settings against each other, and sets ``parameters``.
  mutating func check() throws(InvalidSetting) {
    do throws(Argon2ParameterError) {
      parameters = try Argon2Parameters(
        memoryKiB: memoryKiB, iterations: iterations, parallelism: parallelism)
    } catch {
      throw InvalidSetting(description: error.description)
    }
    guard memoryKiB <= budgetKiB else {
      throw InvalidSetting(
        description: "argon2.budget is \(budgetKiB) KiB; it must be at least argon2.memory, \(memoryKiB)")
    }
  }
}
