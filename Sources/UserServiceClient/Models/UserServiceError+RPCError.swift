import Foundation
import GRPCCore
import GRPCProtobuf
import NIOCore
import SwiftProtobuf
import UserProtos

extension UserServiceError {
  /// The kind of request that has failed.
  enum Subject {
    /// A request for the user with this id.
    case user(id: String)
    /// The creation or change of a user.
    case change(userID: String = "")
    case other
  }

  /// Maps the error of a call.
  init(_ error: RPCError, _ subject: Subject = .other) {
    if error.isUndecodableResponse {
      self = .failed(
        status: "\(RPCError.Code.internalError)",
        message: "the service sent a message that cannot be decoded", errorID: nil)
      return
    }
    // Details that cannot be decoded are ignored.
    let details = (try? error.unpackGoogleRPCStatus())?.details ?? []
    self.init(error.code, error.rootMessage, details, subject)
  }

  /// Maps the status of one row of a bulk call.
  init(_ status: Google_Rpc_Status) {
    let code = Status.Code(rawValue: Int(status.code)).flatMap { RPCError.Code($0) } ?? .unknown
    let bytes: [UInt8]? = try? status.serializedBytes()
    // Details that cannot be decoded are ignored.
    let details = bytes.flatMap { try? GoogleRPCStatus(serializedBytes: $0) }?.details ?? []
    self.init(code, status.message, details, .change())
  }

  private init(_ code: RPCError.Code, _ message: String, _ details: [ErrorDetails], _ subject: Subject) {
    let info = details.lazy.compactMap(\.errorInfo).first { $0.domain == "user.v1" }
    let delay = details.lazy.compactMap(\.retryInfo).first?.delay
    if let known = Self(reason: info?.reason ?? "", info?.metadata ?? [:], delay) {
      self = known
      return
    }
    if code == .notFound, let missing = info?.metadata["missing"] {
      // A longer list ends with an ellipsis.
      self = .usersNotFound(ids: missing.split(separator: ",").filter { $0 != "…" }.map { String($0) })
      return
    }
    switch code {
    case .notFound where info == nil || info?.reason == "USER_NOT_FOUND":
      self = .userNotFound(id: subject.userID)
    case .alreadyExists:
      self = .emailAlreadyRegistered
    case .invalidArgument:
      let fields = Self.fields(in: details)
      if case .change = subject {
        self = .invalidUser(fields: fields)
      } else {
        self = .invalidRequest(fields: fields)
      }
    case .unauthenticated: self = .unauthenticated(.invalid)
    case .permissionDenied: self = .permissionDenied(missingScope: info?.metadata["scope"])
    case .unavailable: self = .unavailable(message)
    case .deadlineExceeded: self = .deadlineExceeded
    case .cancelled: self = .cancelled
    default: self = .failed(status: "\(code)", message: message, errorID: info?.metadata["error_id"])
    }
  }

  /// Maps the errors that only the reason of the ErrorInfo distinguishes; nil for all others.
  private init?(reason: String, _ metadata: [String: String], _ delay: Duration?) {
    switch reason {
    case "USER_ID_TAKEN": self = .userIDTaken
    case "USER_NOT_DELETED": self = .userNotDeleted
    case "ETAG_MISMATCH": self = .etagMismatch
    case "TOKEN_MISSING": self = .unauthenticated(.missing)
    case "TOKEN_EXPIRED": self = .unauthenticated(.expired)
    case "TOKEN_REVOKED": self = .unauthenticated(.revoked)
    case "CREDENTIALS_INVALID": self = .wrongCredentials
    case "TOO_MANY_ATTEMPTS": self = .tooManyAttempts(retryAfter: delay)
    case "SIGN_IN_DISABLED": self = .signInDisabled
    case "CURRENT_PASSWORD_REQUIRED": self = .currentPasswordRequired
    case "CURRENT_PASSWORD_WRONG": self = .wrongCurrentPassword
    case "PEER_LIMIT_EXCEEDED": self = .peerLimitExceeded(retryAfter: delay)
    case "OVERLOADED": self = .overloaded(retryAfter: delay)
    case "TOO_MANY_ROWS": self = .tooManyRows(created: metadata["created_count"].flatMap { Int($0) } ?? 0)
    default: return nil
    }
  }

  private static func fields(in details: [ErrorDetails]) -> [InvalidField] {
    details.lazy.compactMap(\.badRequest).first?.violations.map {
      InvalidField(name: $0.field, reason: $0.reason, description: $0.violationDescription)
    } ?? []
  }
}

extension UserServiceError.Subject {
  fileprivate var userID: String {
    switch self {
    case .user(let id), .change(let id): id
    case .other: ""
    }
  }
}

extension RPCError {
  /// The message of the underlying error: "connection refused" instead of "the channel is not ready".
  fileprivate var rootMessage: String {
    var message = message
    var cause = cause
    while let error = cause {
      if let error = error as? RPCError {
        if !error.message.isEmpty { message = error.message }
        cause = error.cause
      } else {
        // NIO's description names its own functions.
        message = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        cause = nil
      }
    }
    return message
  }

  /// Whether a response is not the message that the contract specifies, or not Protobuf.
  ///
  /// GRPCProtobuf's decoder reports INVALID_ARGUMENT, which a service also reports for a request. Only the decoder's
  /// error has a cause, and a request of this library can always be encoded.
  var isUndecodableResponse: Bool {
    code == .invalidArgument && (cause is BinaryDecodingError || cause is SwiftProtobufError)
  }

  /// The service's instruction about a retry, from the trailers (gRFC A6) or the details.
  var retryPushback: RetrySchedule.Pushback {
    if let text = metadata[stringValues: "grpc-retry-pushback-ms"].first(where: { _ in true }) {
      guard let milliseconds = Int(text), milliseconds >= 0 else { return .stop }
      return .after(.milliseconds(milliseconds))
    }
    // Details that cannot be decoded are ignored.
    let details = (try? unpackGoogleRPCStatus())?.details ?? []
    return details.lazy.compactMap(\.retryInfo).first.map { .after($0.delay) } ?? .none
  }

  /// The index of the update that ended a stream of updates.
  var updateIndex: Int? {
    // Details that cannot be decoded are ignored.
    let details = (try? unpackGoogleRPCStatus())?.details ?? []
    return details.lazy.compactMap(\.errorInfo).first?.metadata["request_index"].flatMap { Int($0) }
  }
}
