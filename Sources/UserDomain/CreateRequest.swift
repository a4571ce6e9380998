import Foundation

/// The id that a client gives a request, so that retrying it is idempotent: a UUID, preferably random.
public struct RequestID: Hashable, Sendable {
  private let uuid: UUID

  /// Parses the 36-character form of RFC 9562 §4, in either case.
  ///
  /// - Throws: `FieldViolation` of `request_id` for anything else, and for the nil UUID (RFC 9562 §5.9), which a client
  ///   sends when it forgets to choose an id.
  public init(_ text: String) throws(FieldViolation) {
    guard let uuid = UUID(uuidString: text), uuid != Self.null else {
      throw FieldViolation(
        field: Self.field, reason: .malformed, description: "must be a UUID other than the nil UUID")
    }
    self.uuid = uuid
  }

  static let field = "request_id"
  private static let null = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))

  /// The id's 16 bytes.
  public var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }
}

/// A user to be stored, and the request id of its client.
public struct CreateRequest: Hashable, Sendable {
  /// The retention of a request id after its user is stored. A change of the user's password ends it earlier.
  public static let retention: Duration = .seconds(24 * 3_600)

  /// The user.
  public let user: NewUser
  /// The request id, or nil.
  public let id: RequestID?

  /// Creates a request to store `user`.
  public init(_ user: NewUser, id: RequestID? = nil) {
    self.user = user
    self.id = id
  }
}

/// The outcome of a ``CreateRequest``.
public struct Creation: Hashable, Sendable {
  /// The earlier result of a retried request.
  public struct Earlier: Hashable, Sendable {
    /// The hash of the stored user's first password, or nil if it had none.
    public let passwordHash: PasswordHash?

    /// Creates an earlier result.
    public init(passwordHash: PasswordHash?) {
      self.passwordHash = passwordHash
    }
  }

  /// The user as first created, now or earlier.
  public let user: User
  /// The earlier result of a retried request with the same address and name, whose password must still be compared;
  /// otherwise nil.
  public let earlier: Earlier?

  /// Creates an outcome. It is a retry unless `earlier` is nil.
  public init(_ user: User, earlier: Earlier? = nil) {
    self.user = user
    self.earlier = earlier
  }
}

extension FieldViolation {
  /// The violation of a request id that was used for a request with other content.
  public static let requestIDUsed = FieldViolation(
    field: RequestID.field, reason: .alreadyUsed, description: "was already used for a different request")
}
