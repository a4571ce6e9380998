/// A value with a secret in it, which it never prints.
public protocol Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Redacted {
  /// The name of the type in angle brackets: a placeholder.
  public var description: String { "<\(Self.self)>" }
  /// A placeholder, like ``description``.
  public var debugDescription: String { description }
  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
