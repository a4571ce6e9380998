import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain

/// The one table from domain errors to gRPC statuses with google.rpc details.
extension GoogleRPCStatus {
  /// Creates the status of a call that failed with `error`; nil for a failure whose cause clients must not see.
  ///
  /// `metadata` is added to the ErrorInfo.
  init?(_ error: UserError, metadata: [String: String] = [:]) {
    switch error {
    case .invalid(let violations):
      self.init(
        .invalidArgument, .invalidRequest, Self.summary(of: violations), metadata, Self.badRequest(violations)
      )
    case .notFound(let id):
      self.init(.notFound, .userNotFound, "User \(Self.shortened(id)) not found", metadata)
    case .notAllFound(let ids):
      self.init(
        .notFound, .userNotFound, Self.missing(ids), metadata.merging(["missing": Self.list(ids)]) { $1 })
    case .idTaken:
      self.init(.alreadyExists, .userIDTaken, "Another user has this id", metadata)
    case .notDeleted:
      self.init(.alreadyExists, .userNotDeleted, "The user is not deleted", metadata)
    case .versionMismatch:
      self.init(.aborted, .etagMismatch, "The user has changed since the etag was read", metadata)
    case .emailAlreadyRegistered:
      self.init(.alreadyExists, .emailAlreadyRegistered, "Email already registered", metadata)
    case .overloaded(let delay):
      self.init(
        .resourceExhausted, .overloaded, "The service is overloaded; try again later", metadata,
        .retryInfo(delay: delay)
      )
    case .deadlineExceeded:
      self.init(.deadlineExceeded, .deadlineExceeded, "The deadline passed", metadata)
    case .cancelled:
      self.init(.cancelled, .cancelled, "The call was cancelled", metadata)
    case .shuttingDown:
      self.init(.unavailable, .shuttingDown, "The service is shutting down", metadata)
    case .storage(let fault):
      self.init(fault.kind, metadata)
    case .unauthenticated(let fault):
      self.init(.unauthenticated, ErrorReason(fault), "Invalid token", metadata)
    case .wrongCredentials:
      self.init(.unauthenticated, .credentialsInvalid, "Invalid email or password", metadata)
    case .tooManyAttempts(let delay):
      self.init(
        .resourceExhausted, .tooManyAttempts, "Too many failed attempts; try again later", metadata,
        .retryInfo(delay: delay))
    case .signInDisabled:
      self.init(
        .failedPrecondition, .signInDisabled, "Too many failed attempts; sign-in by password is disabled",
        metadata)
    case .currentPasswordRequired:
      self.init(
        .permissionDenied, .currentPasswordRequired, "This change needs the current password", metadata)
    case .wrongCurrentPassword:
      self.init(.permissionDenied, .currentPasswordWrong, "The current password is wrong", metadata)
    case .peerLimitExceeded(let delay):
      self.init(
        .resourceExhausted, .peerLimitExceeded, "Too many calls; try again later", metadata,
        .retryInfo(delay: delay))
    case .permissionDenied(let missing):
      let scope = missing.isEmpty ? [:] : ["scope": missing.names.joined(separator: " ")]
      self.init(.permissionDenied, .permissionDenied, "Permission denied", metadata.merging(scope) { $1 })
    case .passwordHashing, .signing:
      return nil
    }
  }

  private init?(_ fault: StorageFault.Kind, _ metadata: [String: String]) {
    switch fault {
    case .busy:
      self.init(
        .unavailable, .databaseBusy, "The database is busy", metadata, .retryInfo(delay: .seconds(1)))
    case .disconnected:
      self.init(
        .unavailable, .databaseUnreachable, "The database cannot be reached", metadata,
        .retryInfo(delay: .seconds(1)))
    case .full:
      self.init(.resourceExhausted, .storageFull, "The disk is full", metadata)
    case .moved:
      self.init(.unavailable, .databaseReplaced, "The database was deleted or replaced", metadata)
    case .notMigrated:
      self.init(.unavailable, .databaseNotMigrated, "The database is not migrated", metadata)
    case .readOnly, .corrupt, .inputOutput, .unexpected:
      return nil
    }
  }

  /// The status of a bulk call with too many rows, of which `stored` were stored.
  static func tooManyRows(limit: Int, stored: Int) -> GoogleRPCStatus {
    GoogleRPCStatus(
      .resourceExhausted, .tooManyRows,
      "More than \(limit) rows in one call; \(stored) users were created and stay",
      ["created_count": "\(stored)"])
  }

  /// The status of a request that is not a protobuf message of its type (github.com/grpc/grpc, doc/statuscodes.md).
  static func undecodable(metadata: [String: String] = [:]) -> GoogleRPCStatus {
    GoogleRPCStatus(.internalError, .undecodableRequest, "The request cannot be decoded", metadata)
  }

  /// The status of a call that the transport ended for `reason`.
  static func endedByTransport(
    _ code: RPCError.Code, _ message: String, reason: ErrorReason
  ) -> GoogleRPCStatus {
    GoogleRPCStatus(code, reason, message, [:])
  }

  /// The status of a call that GRPCCore refused.
  static func malformedCall(_ error: RPCError) -> GoogleRPCStatus {
    GoogleRPCStatus(error.code, .malformedCall, error.message, [:])
  }

  /// The status of a health check of an unknown service.
  static var unknownService: GoogleRPCStatus {
    GoogleRPCStatus(.notFound, .serviceUnknown, "Unknown service", [:])
  }

  /// The status of an unexpected failure: opaque except for the id of its log record.
  static func unexpected(errorID: String) -> GoogleRPCStatus {
    GoogleRPCStatus(.internalError, .internal, "Internal error \(errorID)", ["error_id": errorID])
  }

  private init(
    _ code: RPCError.Code, _ reason: ErrorReason, _ message: String, _ metadata: [String: String],
    _ details: ErrorDetails...
  ) {
    let info = ErrorDetails.errorInfo(reason: reason.rawValue, domain: ErrorReason.domain, metadata: metadata)
    self.init(code: code, message: message, details: [info] + details)
  }

  /// Returns "Invalid email": the fields in the order of their violations.
  private static func summary(of violations: [FieldViolation]) -> String {
    "Invalid " + violations.map(\.field).joined(separator: ", ")
  }

  private static func badRequest(_ violations: [FieldViolation]) -> ErrorDetails {
    .badRequest(
      violations: violations.map {
        ErrorDetails.BadRequest.FieldViolation(
          field: $0.field, description: $0.description, reason: $0.reason.rawValue, localizedMessage: nil)
      })
  }

  /// The number of missing ids that an error lists.
  private static let listedIDs = 50

  private static func missing(_ ids: [String]) -> String {
    ids.count == 1 ? "User \(shortened(ids[0])) not found" : "\(ids.count) users not found"
  }

  private static func list(_ ids: [String]) -> String {
    ids.prefix(listedIDs).map(shortened).joined(separator: ",") + (ids.count > listedIDs ? ",…" : "")
  }

  /// Shortens an id: a client may send megabytes, but trailers must stay small.
  private static func shortened(_ id: String) -> String {
    id.utf8.count <= 64 ? id : "\(String(String.UnicodeScalarView(id.unicodeScalars.prefix(16))))…"
  }
}

extension ErrorReason {
  fileprivate init(_ fault: TokenFault) {
    self =
      switch fault {
      case .missing: .tokenMissing
      case .malformed: .tokenMalformed
      case .untrusted, .unknownKey: .tokenUntrusted
      case .notYetValid: .tokenNotYetValid
      case .expired: .tokenExpired
      case .revoked: .tokenRevoked
      }
  }
}

extension RPCError {
  /// Whether the error already has google.rpc details.
  var carriesDetails: Bool { metadata[binaryValues: "grpc-status-details-bin"].contains { _ in true } }
}
