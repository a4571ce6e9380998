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
    switch update.password {
    case .set(let password): self.password = password
    case .remove: password = ""
    case nil: break
    }
    if let currentPassword = update.currentPassword { self.currentPassword = currentPassword }
  }
}

extension Tokens {
  init(_ message: Auth_V1_Tokens) {
    self.init(
      accessToken: message.accessToken, accessTokenExpiresAt: message.accessTokenExpiresAt.date,
      refreshToken: message.refreshToken, refreshTokenExpiresAt: message.refreshTokenExpiresAt.date)
  }
}
