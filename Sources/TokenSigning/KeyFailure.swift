import Primitives

/// The reason why keys are unusable. It prints as one line for operators, which names the file.
public struct KeyFailure: Error, Hashable, CustomStringConvertible {
  public let description: String

  init(_ path: String, _ reason: String) {
    description = "\(path): \(reason)"
  }

  init(_ failure: PrivateFile.Failure) {
    self.init(failure.path, failure.reason)
  }
}
