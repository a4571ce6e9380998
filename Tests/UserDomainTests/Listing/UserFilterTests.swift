import Testing
import UserDomain

@Suite struct UserFilterTests {
  private func filter(_ change: (inout UserFilter) -> Void) -> UserFilter {
    var filter = UserFilter()
    change(&filter)
    return filter
  }

  @Test("empty text is the filter that every user passes", arguments: ["", " ", "\t\n"])
  func empty(text: String) throws {
    #expect(try UserFilter(parsing: text).isEmpty)
  }

  @Test("comparisons become conditions")
  func conditions() throws {
    #expect(
      try UserFilter(parsing: #"email = "Ada@Example.COM" AND status = INACTIVE"#)
        == filter { ($0.email, $0.status) = (.whole("ada@example.com"), .inactive) })
    #expect(try UserFilter(parsing: #"email="ada*""#) == filter { $0.email = .prefix("ada") })
    #expect(try UserFilter(parsing: "email = ADA@Ex*") == filter { $0.email = .prefix("ada@ex") })
    #expect(try UserFilter(parsing: #"name = "É*""#) == filter { $0.name = .prefix("e\u{301}") })
    #expect(try UserFilter(parsing: "name=ad*") == filter { $0.name = .prefix("ad") })
    #expect(
      try UserFilter(parsing: #"name = "a\*b\"\\ AND c""#) == filter { $0.name = .whole("a*b\"\\ and c") })
    #expect(
      try UserFilter(parsing: #"labels.tenant = "a" AND labels.plan = "" "#)
        == filter { $0.labels = ["tenant": "a", "plan": ""] })
    #expect(try UserFilter(parsing: "status = USER_STATUS_ACTIVE") == filter { $0.status = .active })
  }

  @Test("times are bounds in whole microseconds")
  func times() throws {
    let second = Int64(1_000_000)
    let cases: [(String, ClosedRange<Int64>)] = [
      (">= 1970-01-01T00:00:01Z", second ... .max), ("> 1970-01-01T00:00:01Z", second + 1 ... .max),
      ("< 1970-01-01T00:00:01Z", .min...second - 1), ("<= 1970-01-01T00:00:01Z", .min...second),
      (">= 1970-01-01T00:00:00.9999995Z", second ... .max),
      ("< 1970-01-01T00:00:00.9999995Z", .min...999_999),
      (#"< "1970-01-01T01:00:01+01:00""#, .min...second - 1),
    ]
    for (text, range) in cases {
      #expect(try UserFilter(parsing: "create_time \(text)").created == range, "\(text)")
      #expect(try UserFilter(parsing: "update_time \(text)").updated == range, "\(text)")
    }
    let both = "create_time < 1970-01-01T00:00:02Z AND create_time >= 1970-01-01T00:00:01Z"
    #expect(try UserFilter(parsing: both).created == second...2 * second - 1)
  }

  @Test(
    "a fault is reported with its character",
    arguments: [
      ("name", 5), ("= x", 1), ("name ~ x", 6), ("name = ", 8), (#"name = "x"#, 8), (#"name = "a\x""#, 10),
      ("name = *a", 8), (#"name = "*a""#, 9), ("name = a*b", 9), (#"name = """#, 8), ("name > a", 1),
      ("name = a name = b", 10), ("name = a AND", 10), ("name = a AND ", 14), ("name = a AND name = b", 14),
      ("name = a OR name = b", 10), ("status = 1", 10), ("status = ACT*", 10), ("id = x", 1),
      ("email = x", 9),
      ("email = *", 9), ("email = a@é*", 9), ("labels. = x", 1), ("labels.A = x", 1), ("labels.a = x*", 12),
      ("labels.a = x AND labels.a = y", 18), ("create_time = 2026-01-01T00:00:00Z", 1),
      ("create_time > 2026", 15), ("create_time > 2026-02-30T00:00:00Z", 15),
      ("create_time > 2026-01-01T00:00:00Z AND create_time > 2027-01-01T00:00:00Z", 40),
      ("create_time > 2026-01-01T00:00:00Z AND create_time < 2026-01-01T00:00:00Z", 40), ("name = a)", 9),
    ])
  func faults(text: String, character: Int) {
    do throws(FieldViolation) {
      let filter = try UserFilter(parsing: text)
      Issue.record("\(text) is \(filter)")
    } catch {
      #expect(error.field == "filter")
      #expect(
        error.description.hasPrefix("is invalid at character \(character): "), "\(text): \(error.description)"
      )
    }
  }

  @Test("random text is a filter or a fault")
  func random() throws {
    let parts = [
      "name", "email", "labels.a", "=", ">=", " ", "\"", "*", "\\", "AND", "x", "é", "\u{0}", "(",
      "2026-01-01T00:00:00Z",
    ]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 1...12)).map { _ in parts.randomElement()! }.joined()
      do throws(FieldViolation) { _ = try UserFilter(parsing: text) } catch {
        #expect(error.field == "filter")
      }
    }
    #expect(throws: FieldViolation.self) { try UserFilter(parsing: String(repeating: "x", count: 4_097)) }
  }
}
