import Testing

@testable import UserDomain

@Suite struct FilterTimeTests {
  private static let time = "2026-01-31T00:00:00Z"

  @Test(
    "a time has at most one lower and one upper bound, also where two bounds are equal",
    arguments: [
      (">=", ">="), (">", ">"), (">", ">="), ("<", "<"), ("<=", "<="), ("<", "<="),
    ])
  func twoBoundsOnOneSide(first: String, second: String) throws {
    let text = "create_time \(first) \(Self.time) AND create_time \(second) \(Self.time)"
    let fault = #expect(throws: FieldViolation.self) { try UserFilter(parsing: text) }
    #expect(fault?.description.contains("two bounds on one side") == true)
  }

  @Test("a lower and an upper bound may be equal")
  func oneTime() throws {
    let filter = try UserFilter(parsing: "create_time >= \(Self.time) AND create_time <= \(Self.time)")
    #expect(filter.created == 1_769_817_600_000_000...1_769_817_600_000_000)
  }
}
