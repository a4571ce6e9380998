import PasswordHashing
import Testing
import UserDomain

@testable import UserServiceApp

@Suite struct PasswordConfigurationTests {
  private static func settings(_ flags: [String: String]) throws -> ServiceConfiguration {
    try ServiceConfiguration(flags: flags, file: nil, environment: [:])
  }

  @Test("the defaults are those of the hasher and of the policy")
  func defaults() throws {
    let passwords = try Self.settings([:]).passwords
    #expect(passwords.parameters == .recommended)
    #expect(passwords.limits == HashingLimits())
    #expect(
      try Self.settings([:]).passwordPolicy == PasswordPolicy(serviceNames: ["user-service", "user-service"]))
  }

  @Test("the hasher and the policy receive the configured values")
  func values() throws {
    let configuration = try Self.settings([
      "argon2.memory": "8192", "argon2.iterations": "5", "argon2.parallelism": "2", "argon2.threads": "3",
      "argon2.budget": "9000", "argon2.queue": "4", "password.min.length": "12", "auth.issuer": "acme",
    ])
    #expect(
      try configuration.passwords.parameters
        == Argon2Parameters(memoryKiB: 8_192, iterations: 5, parallelism: 2))
    #expect(
      configuration.passwords.limits == HashingLimits(threads: 3, memoryBudget: 9_000 << 10, queueLength: 4))
    #expect(
      configuration.passwordPolicy
        == PasswordPolicy(minimumLength: 12, serviceNames: ["user-service", "acme"]))
  }

  @Test(
    "a hash that is too cheap, or exceeds the memory of all hashes, is refused",
    arguments: [
      (["argon2.iterations": "1"], "argon2: 19456 KiB × 1 is weaker than OWASP's minimum"),
      (["argon2.memory": "300000"], "argon2.budget is 262144 KiB; it must be at least argon2.memory, 300000"),
    ])
  func refused(flags: [String: String], words: String) {
    #expect {
      try Self.settings(flags)
    } throws: {
      "\($0)".hasPrefix(words)
    }
  }
}
