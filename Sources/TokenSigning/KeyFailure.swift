import Primitives

/// Why keys cannot be used. One line for an operator, which names the file.
public struct KeyFailure: Error, Hashable, CustomStringConvertible {
  public let description: String

  init(_ path: String, _ reason: String) {
    description = "\(path): \(reason)"
  }

  init(_ failure: PrivateFile.Failure) {
    self.init(failure.path, failure.reason)
  }
}
