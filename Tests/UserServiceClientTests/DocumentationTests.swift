import Foundation
import TestSupport
import Testing

/// The program of the library's documentation: it compiles, it is the one that is shown, and it works.
@Suite(.timeLimit(.minutes(10))) struct DocumentationTests {
  private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.package.appendingPathComponent(path), encoding: .utf8)
  }

  @Test("the documentation shows the program that is compiled")
  func shown() throws {
    let page = try text("Sources/UserServiceClient/Documentation.docc/UserServiceClient.md")
    #expect(page.contains("```swift\n\(try text("Tests/ClientExample/ClientExample.swift"))```"))
  }

  @Test("the program does what it says")
  func runs() async throws {
    let directory = try TemporaryDirectory()
    let database = directory.path("users.db")
    let service = try await RunningService(["--database", database, "--log-level", "error"], auth: true)
    let token = try await Program.run(
      "user-service",
      ["token", "issue", "--database", database, "--subject", "example", "--scope", "users:read,users:write"])
    let outcome = try await Program.run(
      "client-example", [],
      environment: [
        "USER_SERVICE_ADDRESS": "localhost:\(service.port)",
        "USER_SERVICE_TOKEN": token.output.trimmingCharacters(in: .newlines),
      ])
    #expect(outcome.errors.isEmpty)
    #expect(
      outcome.output == """
        created ada@example.com
        wrong e-mail or password
        created 1
        row 1: email must have the form local-part@domain
        ada@example.com is Ada
        bob@example.com is Bob
        and now Robert

        """)
    await service.stop()
  }
}
