import Synchronization
import Testing
import UserDomain

@testable import PasswordHashing

@Suite struct Argon2idHasherTests {
  private static let cheap = Argon2Parameters(unchecked: 64, iterations: 1, parallelism: 1)
  private let hasher = Argon2idHasher(parameters: cheap, pool: HashingPool(limits: HashingLimits()))

  @Test("a hash verifies, is in the PHC format and is salted")
  func hash() async throws {
    let password = try Password(attempt: "correct horse")
    let (one, other) = (
      try await hasher.hash(password, for: .service), try await hasher.hash(password, for: .service)
    )
    #expect(one != other)
    #expect(one.phcString.hasPrefix("$argon2id$v=19$m=64,t=1,p=1$"))
    let parsed = try PHCString(one.phcString)
    #expect(parsed.saltLength == 16)
    #expect(parsed.tagLength == 32)
    #expect(try await hasher.verify(password, against: one, for: .service) == .match(needsRehash: false))
  }

  @Test(
    "every byte of a password counts",
    arguments: [
      ("nul\u{0}-terminated-a", "nul\u{0}-terminated-b"),
      (String(repeating: "x", count: 1_023) + "a", String(repeating: "x", count: 1_023) + "b"),
    ])
  func everyByte(one: String, other: String) async throws {
    let hash = try await hasher.hash(Password(attempt: one), for: .service)
    #expect(
      try await hasher.verify(Password(attempt: one), against: hash, for: .service)
        == .match(needsRehash: false))
    #expect(try await hasher.verify(Password(attempt: other), against: hash, for: .service) == .mismatch)
  }

  @Test("a hash made with other parameters verifies and needs a rehash")
  func needsRehash() async throws {
    let stronger = Argon2idHasher(
      parameters: Argon2Parameters(unchecked: 128, iterations: 1, parallelism: 1),
      pool: HashingPool(limits: HashingLimits()))
    let hash = try await hasher.hash(Password(attempt: "correct horse"), for: .service)
    #expect(
      try await stronger.verify(Password(attempt: "correct horse"), against: hash, for: .service)
        == .match(needsRehash: true))
  }

  @Test("a stored hash that demands 4 GiB is refused before anything is allocated")
  func hostileHash() async throws {
    let hash = PasswordHash(
      phcString: "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
    await #expect(throws: UserError.self) {
      try await hasher.verify(Password(attempt: "12345678"), against: hash, for: .service)
    }
  }

  @Test("no password matches a stored hash beyond the memory budget, and the operator is told")
  func beyondBudget() async throws {
    let reported = Mutex<[Int]>([])
    let small = Argon2idHasher(
      parameters: Self.cheap, pool: HashingPool(limits: HashingLimits(memoryBudget: 1 << 20))
    ) { memory in reported.withLock { $0.append(memory) } }
    // The hash is of this password.
    let hash = PasswordHash(
      phcString: "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
    let password = try Password(attempt: "password")
    #expect(try await small.verify(password, against: hash, for: .service) == .mismatch)
    #expect(reported.withLock { $0 } == [64 << 20])
    _ = try await small.verify(password, against: small.decoy, for: .service)
    #expect(reported.withLock { $0.count } == 1)
  }

  @Test("a wrong password costs a hash of this hasher where a check is nearly free")
  func decoyAfterCheapHash() async throws {
    // libargon2 refuses so little memory: every hash of this hasher fails, and is thereby visible.
    let failing = Argon2idHasher(
      parameters: Argon2Parameters(unchecked: 4, iterations: 1, parallelism: 1),
      pool: HashingPool(limits: HashingLimits()))
    let cheap = try failing.accept(foreign: "$md5$CY9rzUYh03PK3k6DJie09g==")
    let costly = try failing.accept(foreign: StoredHashVector.bcryptOf72)
    #expect(
      try await failing.verify(Password(attempt: "test"), against: cheap, for: .service)
        == .match(needsRehash: true))
    let wrong = try Password(attempt: "wrong horse")
    await #expect(throws: UserError.self) {
      try await failing.verify(wrong, against: cheap, for: .service)
    }
    #expect(try await failing.verify(wrong, against: costly, for: .service) == .mismatch)
  }

  @Test("parameters must fit the memory budget")
  func budget() {
    #expect(throws: Argon2ParameterError.self) {
      try Argon2idHasher(limits: HashingLimits(memoryBudget: 1 << 20))
    }
  }
}

@Suite struct Argon2ParametersTests {
  @Test(
    "OWASP's rows and RFC 9106's recommendation are allowed",
    arguments: [
      (47_104, 1, 1), (19_456, 2, 1), (12_288, 3, 1), (9_216, 4, 1), (7_168, 5, 1), (65_536, 3, 4),
      (524_288, 10, 16),
    ])
  func permitted(memory: Int, iterations: Int, parallelism: Int) throws {
    _ = try Argon2Parameters(memoryKiB: memory, iterations: iterations, parallelism: parallelism)
  }

  @Test(
    "weaker or larger parameters are refused, and the message names the bound",
    arguments: [
      (7_167, 5, 1, "memory"), (524_289, 1, 1, "memory"), (Int.max, 1, 1, "memory"),
      (19_456, 0, 1, "iterations"),
      (19_456, 11, 1, "iterations"), (19_456, 2, 0, "parallelism"), (19_456, 2, 17, "parallelism"),
      (19_456, 1, 1, "OWASP"),
    ])
  func refused(memory: Int, iterations: Int, parallelism: Int, word: String) {
    let error = #expect(throws: Argon2ParameterError.self) {
      try Argon2Parameters(memoryKiB: memory, iterations: iterations, parallelism: parallelism)
    }
    #expect(error?.description.contains(word) == true)
  }
}

@Suite struct Argon2CalibrationTests {
  /// A machine on which a hash takes a microsecond per KiB and pass, and 50 % more beyond `cliff`.
  private func calibration(cliff: Int = .max, maximum: Int = 524_288) -> Argon2Calibration {
    Argon2Calibration(iterations: 2, parallelism: 1, maximumMemoryKiB: maximum, samples: 1) { parameters in
      let time = parameters.memoryKiB * parameters.iterations
      return .microseconds(parameters.memoryKiB > cliff ? time * 3 / 2 : time)
    }
  }

  @Test(
    "memory grows to the target, also where time is not proportional to it", arguments: [Int.max, 50_000])
  func reachesTarget(cliff: Int) throws {
    let best = try calibration(cliff: cliff).run(target: .milliseconds(250), report: { _ in })
    #expect(best.duration <= .milliseconds(250))
    #expect(best.duration > .milliseconds(230))
  }

  @Test("a target below the weakest allowed hash gives that hash")
  func floor() throws {
    let best = try calibration().run(target: .milliseconds(1), report: { _ in })
    #expect(best.parameters.memoryKiB * best.parameters.iterations == Argon2Parameters.minimumWork)
  }

  @Test("memory stops at its maximum")
  func ceiling() throws {
    let best = try calibration(maximum: 65_536).run(target: .seconds(10), report: { _ in })
    #expect(best.parameters.memoryKiB == 65_536)
  }
}
