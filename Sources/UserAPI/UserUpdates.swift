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

  /// The update's index in the stream, for a client that looks for the failed one.
  private var place: [String: String] { ["request_index": "\(index)"] }

  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep {
    received = try User_V1_UserUpdateRequest(request: message, metadata: place)
    return .work
  }

  mutating func work() async throws -> [UInt8]? {
    do throws(UserError) {
      let user = try await apply(exchange(&received, with: User_V1_UserUpdateRequest()))
      index += 1
      return user.serialized
    } catch {
      guard error != .cancelled, let status = GoogleRPCStatus(error, metadata: place) else { throw error }
      throw status
    }
  }

  private func apply(_ update: User_V1_UserUpdateRequest) async throws(UserError) -> User {
    try authorization.checkStillValid()
    let user = UserReference(update.userID)
    try authorization.caller.principal.require(.usersWrite, orBe: user.id)
    // Counted before anything is looked up: the outcome can reveal which addresses are registered.
    if update.hasEmail || update.hasPassword { try authorization.admitOwnUpdate() }
    // A token that may change only its own user may have leaked from that user's device.
    let proof = PasswordProof(
      currentPassword: update.hasCurrentPassword ? update.currentPassword : nil,
      isRequired: !authorization.caller.principal.scopes.contains(.usersWrite),
      network: authorization.caller.network)
    return try await directory.updateUser(
      user,
      email: update.hasEmail ? update.email : nil,
      name: update.hasName ? update.name : nil,
      status: update.hasStatus ? update.status.rawValue : nil,
      password: update.hasPassword ? update.password : nil, by: authorization.authority,
      proof: proof, for: authorization.caller.hashRequester)
  }
}
