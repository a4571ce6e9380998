/// The id of a user in a request: parsed once, and kept as the client wrote it.
public struct UserReference: Hashable, Sendable {
  /// The id; nil if the text is not one, and so names no user.
  public let id: UserID?
  /// The text, unless it is the id's own form.
  private let otherText: String?

  /// The user that a client names by `text`.
  public init(_ text: String) {
    id = UserID(text)
    otherText = text
  }

  /// The user with this id, written in lower case.
  public init(_ id: UserID) {
    self.id = id
    otherText = nil
  }

  /// What the client wrote.
  public var text: String { otherText ?? id?.description ?? "" }
}
