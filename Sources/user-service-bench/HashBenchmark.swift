import CArgon2
import PasswordHashing
import UserDomain

/// Hashes passwords with the default parameters, one at a time.
struct HashBenchmark {
  private static let rounds = 20

  func run(into report: inout Report) async throws {
    let hasher = try Argon2idHasher()
    let password = try Password(attempt: "correct horse battery staple")
    let ours = try await Meter {
      for _ in 0..<Self.rounds { _ = try await hasher.hash(password, for: .service) }
    }
    let parameters = Argon2Parameters.recommended
    var tag = [UInt8](repeating: 0, count: 32)
    let salt = [UInt8](repeating: 1, count: 16)
    let raw = await Meter {
      for _ in 0..<Self.rounds {
        let code = argon2id_hash_raw(
          UInt32(parameters.iterations), UInt32(parameters.memoryKiB), UInt32(parameters.parallelism),
          password.normalized, password.normalized.utf8.count, salt, salt.count, &tag, tag.count)
        precondition(code == ARGON2_OK.rawValue)
      }
    }
    report.line(
      "Argon2id hash, \(parameters.memoryKiB) KiB × \(parameters.iterations)",
      ours: ours.cpuMicroseconds(per: Self.rounds) / 1_000,
      raw: raw.cpuMicroseconds(per: Self.rounds) / 1_000,
      unit: "ms CPU/hash")
  }
}
