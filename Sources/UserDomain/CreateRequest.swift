import Foundation

/// What a client calls one request, so that it can repeat it and the work is done once: a UUID, at best a random one.
public struct RequestID: Hashable, Sendable {
  private let uuid: UUID

  /// Parses the 36-character form of RFC 9562 §4, in either case.
  ///
  /// - Throws: `FieldViolation` of `request_id` for anything else, and for the nil UUID (RFC 9562 §5.9), which is
  ///   what a client sends that has forgotten to choose one.
  public init(_ text: String) throws(FieldViolation) {
    guard let uuid = UUID(uuidString: text), uuid != Self.null else {
      throw FieldViolation(
        field: Self.field, reason: .malformed, description: "must be a UUID, and not the one of zeros")
    }
    self.uuid = uuid
  }

  static let field = "request_id"
  private static let null = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))

  /// Its 16 bytes.
  public var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }
}

/// A user to be stored, and what its client calls the request.
public struct CreateRequest: Hashable, Sendable {
  /// For how long a request is remembered once its user is stored, unless the user's password changes before.
  public static let memory: Duration = .seconds(24 * 3_600)

  /// The user.
  public let user: NewUser
  /// What the client calls the request, or nil.
  public let id: RequestID?

  /// A request to store `user`.
  public init(_ user: NewUser, id: RequestID? = nil) {
    self.user = user
    self.id = id
  }
}

/// What became of a ``CreateRequest``.
public struct Creation: Hashable, Sendable {
  /// What a request that is repeated has stored the first time.
  public struct Earlier: Hashable, Sendable {
    /// The hash of its password, or nil if it had none.
    public let passwordHash: PasswordHash?

    /// What was stored.
    public init(passwordHash: PasswordHash?) {
      self.passwordHash = passwordHash
    }
  }

  /// The user as created, now or the first time.
  public let user: User
  /// For a request that was made before, with that address and name: what remains to be compared. nil otherwise.
  public let earlier: Earlier?

  /// A creation; not a repeated one if `earlier` is nil.
  public init(_ user: User, earlier: Earlier? = nil) {
    self.user = user
    self.earlier = earlier
  }
}

extension FieldViolation {
  /// The request id was used for a request with another content.
  public static let requestIDUsed = FieldViolation(
    field: RequestID.field, reason: .alreadyUsed, description: "was used for another request before")
}
