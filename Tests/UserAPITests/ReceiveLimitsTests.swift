import GRPCCore
import SwiftProtobuf
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

@Suite struct ReceiveLimitsTests {
  @Test("exactly the methods that are served have a limit")
  func complete() {
    let served =
      User_V1_UserService.Method.descriptors + Auth_V1_AuthService.Method.descriptors
      + Grpc_Health_V1_Health.Method.descriptors + MethodDescriptor.serverReflection
    #expect(Set(ReceiveLimits.all.keys) == Set(served))
  }

  @Test("the largest valid messages fit, with as much white space around them")
  func largest() throws {
    let label = String(repeating: "a", count: 61)
    let email = String(repeating: "x", count: 64) + "@" + [label, label, label, "bb"].joined(separator: ".")
    let name = String(repeating: "\u{1F600}", count: 256)
    let password = String(repeating: "p", count: 1_024)
    let id = "01a20ee6-9ba4-70f2-8d8e-3d5b8e9fe3a1"
    #expect(throws: Never.self) { try EmailAddress(email) }
    #expect(throws: Never.self) { try UserName(name) }
    let create = User_V1_CreateUserRequest.with {
      ($0.email, $0.name, $0.password, $0.requestID) = (email, name, password, id)
    }
    let update = User_V1_UserUpdateRequest.with {
      ($0.userID, $0.email, $0.name, $0.password) = (id, email, name, password)
      $0.status = .inactive
    }
    let signIn = Auth_V1_SignInRequest.with { ($0.email, $0.password) = (email, password) }
    let methods: [(MethodDescriptor, any SwiftProtobuf.Message)] = [
      (User_V1_UserService.Method.CreateUser.descriptor, create),
      (User_V1_UserService.Method.BulkCreateUsers.descriptor, create),
      (User_V1_UserService.Method.UserUpdates.descriptor, update),
      (Auth_V1_AuthService.Method.SignIn.descriptor, signIn),
    ]
    for (method, message) in methods {
      let bytes: [UInt8] = try message.serializedBytes()
      #expect(2 * bytes.count <= ReceiveLimits.all[method] ?? 0, "\(method)")
    }
  }
}
