import Foundation
import Testing

/// The program in the library's documentation is the one that is compiled. The Python tests run it.
@Suite struct DocumentationTests {
  private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.package.appendingPathComponent(path), encoding: .utf8)
  }

  @Test("the documentation contains the compiled program")
  func shown() throws {
    let page = try text("Sources/UserServiceClient/Documentation.docc/UserServiceClient.md")
    #expect(page.contains("```swift\n\(try text("Examples/ClientExample/ClientExample.swift"))```"))
  }
}
