import Foundation
import Testing

/// The program of the library's documentation compiles, and is the one that is shown. That it works is tested from
/// outside.
@Suite struct DocumentationTests {
  private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.package.appendingPathComponent(path), encoding: .utf8)
  }

  @Test("the documentation shows the program that is compiled")
  func shown() throws {
    let page = try text("Sources/UserServiceClient/Documentation.docc/UserServiceClient.md")
    #expect(page.contains("```swift\n\(try text("Examples/ClientExample/ClientExample.swift"))```"))
  }
}
