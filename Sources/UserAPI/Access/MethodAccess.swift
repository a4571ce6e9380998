import GRPCCore
import UserDomain
import UserProtos

/// The callers that may call a method.
enum MethodAccess: Hashable, Sendable {
  /// Every caller. Tokens are ignored, or an invalid token changes nothing.
  case everyCaller
  /// Callers with the scope.
  case scope(Scopes)
  /// Callers with the scope, and the user that the request names, which only the RPC can tell.
  case scopeOrSelf(Scopes)

  /// Checks what can be checked without the request.
  ///
  /// - Throws: `UserError.permissionDenied`.
  func admit(_ principal: Principal) throws(UserError) {
    switch self {
    case .everyCaller: break
    case .scope(let scope): try principal.require(scope)
    case .scopeOrSelf(let scope):
      // A principal without a user id is a service, which cannot be the request's user.
      if principal.userID == nil { try principal.require(scope) }
    }
  }
}

/// The callers that may call a method, and the cost of a call.
struct MethodRule: Sendable {
  let access: MethodAccess
  let cost: CallCost

  init(_ access: MethodAccess, _ cost: CallCost) {
    self.access = access
    self.cost = cost
  }
}

/// The one table of access and costs. A method missing from it cannot be called.
struct MethodAccessTable: Sendable {
  let rules: [MethodDescriptor: MethodRule]

  /// Creates the table. Server reflection is open to every caller if `reflectionIsPublic`, else to those with
  /// `users:read`.
  init(reflectionIsPublic: Bool) {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    // Each message after the first costs as much as the call.
    let reflection = MethodRule(reflectionIsPublic ? .everyCaller : .scope(.usersRead), .little)
    rules = [
      // These calls need a token, whose check is limited separately.
      Users.GetUser.descriptor: MethodRule(.scopeOrSelf(.usersRead), .nothing),
      Users.GetUserByEmail.descriptor: MethodRule(.scopeOrSelf(.usersRead), .nothing),
      Users.BatchGetUsers.descriptor: MethodRule(.scope(.usersRead), .nothing),
      Users.ListUsers.descriptor: MethodRule(.scope(.usersRead), .nothing),
      Users.BulkCreateUsers.descriptor: MethodRule(.scope(.usersWrite), .nothing),
      // ``CallAuthorization/admitOwnUpdate()`` counts the updates that can reveal registered addresses.
      Users.UserUpdates.descriptor: MethodRule(.scopeOrSelf(.usersWrite), .nothing),
      Users.UpdateUser.descriptor: MethodRule(.scopeOrSelf(.usersWrite), .nothing),
      Users.DeleteUser.descriptor: MethodRule(.scopeOrSelf(.usersWrite), .nothing),
      Users.UndeleteUser.descriptor: MethodRule(.scope(.usersWrite), .nothing),
      Users.ImportUsers.descriptor: MethodRule(.scope(.usersImport), .nothing),
      Users.ExportUsers.descriptor: MethodRule(.scope(.usersExport), .nothing),
      Users.CreateUser.descriptor: MethodRule(.everyCaller, .full),

      Auth.SignIn.descriptor: MethodRule(.everyCaller, .full),
      Auth.RefreshToken.descriptor: MethodRule(.everyCaller, .medium),
      Auth.RevokeToken.descriptor: MethodRule(.everyCaller, .medium),
      Auth.GetJsonWebKeySet.descriptor: MethodRule(.everyCaller, .little),

      Health.Check.descriptor: MethodRule(.everyCaller, .nothing),
      Health.List.descriptor: MethodRule(.everyCaller, .nothing),
      Health.Watch.descriptor: MethodRule(.everyCaller, .nothing),

      MethodDescriptor.serverReflection[0]: reflection,
      MethodDescriptor.serverReflection[1]: reflection,
    ]
  }

  /// The rule of `method`; nil for a method that cannot be called.
  subscript(method: MethodDescriptor) -> MethodRule? { rules[method] }
}
