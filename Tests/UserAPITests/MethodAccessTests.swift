import GRPCCore
import Testing
import UserDomain
import UserProtos

@testable import UserAPI

@Suite struct MethodAccessTests {
  @Test("the table has exactly the methods that are served")
  func complete() {
    let served =
      User_V1_UserService.Method.descriptors + Auth_V1_AuthService.Method.descriptors
      + Grpc_Health_V1_Health.Method.descriptors + MethodDescriptor.serverReflection
    #expect(Set(MethodAccessTable(reflectionIsPublic: true).rules.keys) == Set(served))
  }

  @Test("every method that needs no token is limited, except health checks")
  func costs() {
    let table = MethodAccessTable(reflectionIsPublic: true)
    let served =
      User_V1_UserService.Method.descriptors + Auth_V1_AuthService.Method.descriptors
      + MethodDescriptor.serverReflection
    for method in served {
      #expect((table[method]?.access == .everyCaller) == (table[method]?.cost != .nothing), "\(method)")
    }
    for method in Grpc_Health_V1_Health.Method.descriptors { #expect(table[method]?.cost == .nothing) }
  }

  @Test("reflection needs a scope unless it is public")
  func reflection() {
    for method in MethodDescriptor.serverReflection {
      #expect(MethodAccessTable(reflectionIsPublic: true)[method]?.access == .everyCaller)
      #expect(MethodAccessTable(reflectionIsPublic: true)[method]?.cost == .little)
      #expect(MethodAccessTable(reflectionIsPublic: false)[method]?.access == .scope(.usersRead))
    }
  }
}
