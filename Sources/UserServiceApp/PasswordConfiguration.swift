public import PasswordHashing
import UserDomain

/// The settings `argon2.*`: what password hashes cost, and what they may take of the machine; and `password.*`: what
/// passwords have to be. Each property is a ``Setting``, and begins as that setting's default.
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

  /// KiB of a new password hash.
  var memoryKiB = Argon2Parameters.recommended.memoryKiB
  /// Passes over the memory of a new password hash.
  var iterations = Argon2Parameters.recommended.iterations
  /// Lanes of a new password hash.
  var parallelism = Argon2Parameters.recommended.parallelism
  /// Hashes at once; nil for as many as the machine has cores.
  var threads: Int?
  /// KiB that all hashes may use together, and so what the largest stored hash may need.
  var budgetKiB = usual.memoryBudget >> 10
  /// Hashes that may wait.
  var queueLength = usual.queueLength
  /// The shortest new password, in characters.
  var minimumLength = PasswordPolicy().minimumLength

  /// The cost of new password hashes.
  public private(set) var parameters = Argon2Parameters.recommended

  /// What password hashes may take of the machine. A password whose hash needs more cannot be checked.
  public var limits: HashingLimits {
    HashingLimits(threads: threads, memoryBudget: budgetKiB << 10, queueLength: queueLength)
  }

  /// Compares settings with each other, and makes ``parameters`` of them.
  mutating func check() throws(InvalidSetting) {
    do throws(Argon2ParameterError) {
      parameters = try Argon2Parameters(
        memoryKiB: memoryKiB, iterations: iterations, parallelism: parallelism)
    } catch {
      throw InvalidSetting(description: error.description)
    }
    guard memoryKiB <= budgetKiB else {
      throw InvalidSetting(
        description: "argon2.budget is \(budgetKiB) KiB, less than the \(memoryKiB) of argon2.memory")
    }
  }
}
