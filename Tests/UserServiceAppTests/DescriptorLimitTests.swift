import Testing

@testable import UserServiceApp

@Suite struct DescriptorLimitTests {
  @Test(
    "as many connections are accepted as fit beside the reserve and closing ones",
    arguments: [
      (10_000, 1_048_576, 10_000), (10_000, 10_785, 10_000), (10_000, 1_024, 814), (10_000, 300, 134),
      (10, 100, 10), (100, 100, 34), (5, 2, 1),
    ])
  func connections(wanted: Int, limit: Int, fit: Int) {
    #expect(DescriptorLimit.connections(wanted: wanted, limit: limit) == fit)
  }
}
