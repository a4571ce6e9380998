import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// One UserUpdates call: takes updates, and responds to each with the updated user.
struct UserUpdates: StreamedCall {
  private let directory: UserDirectory
  private let authorization: CallAuthorization
  private var index = 0
  private var received = User_V1_UserUpdateRequest()

  init(directory: UserDirectory, authorization: CallAuthorization) {
    self.directory = directory
    self.authorization = authorization
  }

  /// What a client looks for the failed update by: its index in the stream, and its id.
  private func place(_ updateID: String = "") -> [String: String] {
    let hasID = !updateID.isEmpty && updateID.utf8.count <= Self.maximumIDLength
    return ["request_index": "\(index)"].merging(hasID ? ["update_id": updateID] : [:]) { $1 }
  }

  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep {
    received = try User_V1_UserUpdateRequest(request: message, metadata: place())
    return .work
  }

  mutating func work() async throws -> [[UInt8]] {
    let update = exchange(&received, with: User_V1_UserUpdateRequest())
    do throws(UserError) {
      let user = try await apply(update)
      index += 1
      return [user.serialized + UserMessageEncoding.updateIDField(update.updateID)]
    } catch {
      guard error != .cancelled, let status = GoogleRPCStatus(error, metadata: place(update.updateID)) else {
        throw error
      }
      throw status
    }
  }

  private func apply(_ update: User_V1_UserUpdateRequest) async throws(UserError) -> User {
    try authorization.checkStillValid()
    let user = UserReference(update.userID)
    try authorization.caller.principal.require(.usersWrite, orBe: user.id)
    guard update.updateID.utf8.count <= Self.maximumIDLength else { throw .invalid([.longUpdateID]) }
    // Counted before anything is looked up: the outcome can reveal which addresses are registered.
    if update.hasEmail || update.hasPassword { try authorization.admitOwnUpdate() }
    return try await directory.updateUser(
      user,
      UserUpdate(
        email: update.hasEmail ? update.email : nil, name: update.hasName ? update.name : nil,
        status: update.hasStatus ? update.status.rawValue : nil,
        password: update.hasPassword ? update.password : nil, etag: update.etag),
      by: authorization.authority,
      proof: authorization.proof(update.hasCurrentPassword ? update.currentPassword : nil),
      for: authorization.caller.hashRequester)
  }

  /// The maximum length of an update's id in bytes: it is repeated in trailers.
  fileprivate static let maximumIDLength = 128
}

extension FieldViolation {
  fileprivate static let longUpdateID = FieldViolation(
    field: "update_id", reason: .tooLong, description: "must be at most \(UserUpdates.maximumIDLength) bytes")
}
