/// The id of a user in a request: parsed once, and kept as the client wrote it.
public struct UserReference: Hashable, Sendable {
  /// The id; nil if the text is not an id, and so names no user.
  public let id: UserID?
  /// The text, unless it is the id's canonical form.
  private let otherText: String?

  /// Creates the reference that a client writes as `text`.
  public init(_ text: String) {
    id = UserID(text)
    otherText = text
  }

  /// Creates a reference to the user with this id, in lower case.
  public init(_ id: UserID) {
    self.id = id
    otherText = nil
  }

  /// The text that the client wrote.
  public var text: String { otherText ?? id?.description ?? "" }

  /// The error of a look-up that finds no user.
  var notFound: UserError { text.isEmpty ? .invalid([.missingUserID]) : .notFound(text) }
}
