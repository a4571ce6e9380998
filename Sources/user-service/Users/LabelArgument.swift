import ArgumentParser

/// A label on the command line: `KEY=VALUE`.
struct LabelArgument: ExpressibleByArgument, Hashable {
  let key: String
  let value: String

  /// Reads the label. The key ends at the first `=`; the service checks both parts.
  init?(argument: String) {
    guard let end = argument.firstIndex(of: "=") else { return nil }
    key = String(argument[..<end])
    value = String(argument[argument.index(after: end)...])
  }

  /// Returns the values by their keys.
  ///
  /// - Throws: `ValidationError` if a key comes twice.
  static func byKey(_ labels: [LabelArgument]) throws -> [String: String] {
    try Dictionary(labels.map { ($0.key, $0.value) }) { _, _ in
      throw ValidationError("--label must not give a key twice")
    }
  }
}
