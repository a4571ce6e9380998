import SwiftProtobuf
import UserDomain
import UserProtos

/// UpdateUser, DeleteUser and UndeleteUser.
struct UserChangeHandler: Sendable {
  let directory: UserDirectory

  func update(_ request: User_V1_UpdateUserRequest, by authorization: CallAuthorization) async throws
    -> [UInt8]
  {
    let user = UserReference(request.user.id)
    try authorization.caller.principal.require(.usersWrite, orBe: user.id)
    // Labels are what services say of a user.
    if UserUpdate.hasLabels(request) { try authorization.caller.principal.require(.usersWrite) }
    var update = try UserUpdate(request)
    update.password = request.hasPassword ? request.password : nil
    if update.email != nil || update.password != nil { try authorization.admitOwnUpdate() }
    let proof = authorization.proof(request.hasCurrentPassword ? request.currentPassword : nil)
    if request.validateOnly {
      return try await directory.checkUpdate(
        user, update, proof: proof, for: authorization.caller.hashRequester
      ).serialized
    }
    return try await directory.updateUser(
      user, update, by: authorization.authority, proof: proof, for: authorization.caller.hashRequester
    ).serialized
  }

  func delete(_ request: User_V1_DeleteUserRequest, by authorization: CallAuthorization) async throws
    -> [UInt8]
  {
    let user = UserReference(request.userID)
    let principal = authorization.caller.principal
    if request.expunge {
      try principal.require(.usersWrite)
    } else {
      try principal.require(.usersWrite, orBe: user.id)
    }
    return try await directory.deleteUser(
      user,
      UserDeletionRequest(etag: request.etag, expunges: request.expunge, allowsMissing: request.allowMissing),
      isOnlyChecked: request.validateOnly, by: authorization.authority,
      proof: authorization.proof(request.hasCurrentPassword ? request.currentPassword : nil),
      for: authorization.caller.hashRequester
    ).serialized
  }

  func undelete(
    _ request: User_V1_UndeleteUserRequest, by authorization: CallAuthorization
  ) async throws -> [UInt8] {
    try await directory.undeleteUser(
      UserReference(request.userID), etag: request.etag, isOnlyChecked: request.validateOnly,
      by: authorization.authority
    ).serialized
  }
}

extension CallAuthorization {
  /// The proof that a request with this current password gives. A token that may change only its own user may have leaked
  /// from that user's device.
  func proof(_ currentPassword: String?) -> PasswordProof {
    PasswordProof(
      currentPassword: currentPassword, isRequired: !caller.principal.scopes.contains(.usersWrite),
      network: caller.network)
  }
}

extension UserUpdate {
  /// The changes of the fields in the request's mask (AIP-134): without one, of the fields that are not empty. Fields that
  /// the service assigns are ignored (AIP-203).
  ///
  /// - Throws: `UserError.invalid` for a mask with other fields.
  init(_ request: User_V1_UpdateUserRequest) throws(UserError) {
    self.init(etag: request.user.etag)
    let user = request.user
    isStatusMeant = request.updateMask.paths.contains("status")
    for path in try Self.paths(of: request) {
      switch path {
      case "email": email = user.email
      case "name": name = user.name
      case "status": status = user.status.rawValue
      case "labels": labels = user.labels
      default: break
      }
    }
  }

  /// Returns whether a request is about the labels.
  static func hasLabels(_ request: User_V1_UpdateUserRequest) -> Bool {
    guard request.hasUpdateMask else { return !request.user.labels.isEmpty }
    return request.updateMask.paths.contains { $0 == "labels" || $0 == "*" }
  }

  private static let changeable = ["email", "name", "status", "labels"]
  private static let assigned: Set = [
    "id", "created_at", "page_token", "update_time", "delete_time", "purge_time", "etag", "update_id",
  ]

  private static func paths(of request: User_V1_UpdateUserRequest) throws(UserError) -> [String] {
    let user = request.user
    guard request.hasUpdateMask else {
      let isSet = [
        !user.email.isEmpty, !user.name.isEmpty, user.status != .unspecified, !user.labels.isEmpty,
      ]
      return zip(changeable, isSet).filter(\.1).map(\.0)
    }
    let paths = request.updateMask.paths
    if paths == ["*"] { return changeable }
    guard paths.allSatisfy({ changeable.contains($0) || assigned.contains($0) }) else {
      throw .invalid([
        FieldViolation(
          field: "update_mask", reason: .malformed,
          description: "must have only the paths \(changeable.joined(separator: ", ")), or only *")
      ])
    }
    return paths
  }
}
