import Foundation
import SwiftProtobuf
import UserProtos

// Conversions between the contract's messages and the library's types.

extension User {
  init(_ message: User_V1_User) {
    self.init(
      id: message.id, email: message.email, name: message.name, status: Status(message.status),
      createdAt: message.createdAt.date, updatedAt: message.hasUpdateTime ? message.updateTime.date : nil,
      deletedAt: message.hasDeleteTime ? message.deleteTime.date : nil,
      purgeAt: message.hasPurgeTime ? message.purgeTime.date : nil, etag: message.etag, labels: message.labels
    )
  }
}

extension User.Status {
  init(_ status: User_V1_UserStatus) {
    self =
      switch status {
      case .active: .active
      case .inactive: .inactive
      case .unspecified, .UNRECOGNIZED: .unknown(status.rawValue)
      }
  }

  var message: User_V1_UserStatus {
    switch self {
    case .active: .active
    case .inactive: .inactive
    case .unknown(let number): User_V1_UserStatus(rawValue: number) ?? .unspecified
    }
  }
}

extension User_V1_CreateUserRequest {
  init(_ user: NewUser, requestID: UUID) {
    self.init()
    email = user.email
    name = user.name
    password = user.password ?? ""
    if !user.labels.isEmpty { labels = user.labels }
    self.requestID = requestID.uuidString.lowercased()
  }
}

extension User_V1_UserUpdateRequest {
  init(_ update: UserUpdate) {
    self.init()
    userID = update.userID
    if let email = update.email { self.email = email }
    if let name = update.name { self.name = name }
    if let status = update.status { self.status = status.message }
    if let password = update.password { self.password = password.newPassword }
    if let currentPassword = update.currentPassword { self.currentPassword = currentPassword }
    if let etag = update.etag { self.etag = etag }
  }
}

extension User_V1_UpdateUserRequest {
  /// - Parameter labels: the labels that replace those of the user; nil leaves them unchanged.
  init(_ update: UserUpdate, labels: [String: String]?, validateOnly: Bool) {
    self.init()
    var paths: [String] = []
    user.id = update.userID
    if let etag = update.etag { user.etag = etag }
    if let email = update.email {
      user.email = email
      paths.append("email")
    }
    if let name = update.name {
      user.name = name
      paths.append("name")
    }
    if let status = update.status {
      user.status = status.message
      paths.append("status")
    }
    if let labels {
      user.labels = labels
      paths.append("labels")
    }
    // A mask without paths changes no field; an absent one stands for the fields that are not empty.
    updateMask = Google_Protobuf_FieldMask.with { $0.paths = paths }
    if let password = update.password { self.password = password.newPassword }
    if let currentPassword = update.currentPassword { self.currentPassword = currentPassword }
    if validateOnly { self.validateOnly = true }
  }
}

extension UserUpdate.Password {
  /// The password as the contract has it: empty text removes it.
  fileprivate var newPassword: String {
    switch self {
    case .set(let password): password
    case .remove: ""
    }
  }
}

extension Tokens {
  init(_ message: Auth_V1_Tokens) {
    self.init(
      accessToken: message.accessToken, accessTokenExpiresAt: message.accessTokenExpiresAt.date,
      refreshToken: message.refreshToken, refreshTokenExpiresAt: message.refreshTokenExpiresAt.date)
  }
}
