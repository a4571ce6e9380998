import GRPCCore
import UserDomain
import UserProtos

/// Who may call a method.
enum MethodAccess: Hashable, Sendable {
  /// Every caller. A token is not looked at, or makes no difference if it is invalid.
  case everyCaller
  /// A caller with the scope.
  case scope(Scopes)
  /// A caller with the scope, or the user whom the request is about: only the RPC knows who that is.
  case scopeOrSelf(Scopes)

  /// Checks what can be told without the request.
  ///
  /// - Throws: `UserError.permissionDenied`.
  func admit(_ principal: Principal) throws(UserError) {
    switch self {
    case .everyCaller: break
    case .scope(let scope): try principal.require(scope)
    case .scopeOrSelf(let scope):
      // A service is not a user.
      if principal.userID == nil { try principal.require(scope) }
    }
  }
}

/// Who may call a method, and what a call costs.
struct MethodRule: Sendable {
  let access: MethodAccess
  let cost: CallCost

  init(_ access: MethodAccess, _ cost: CallCost) {
    self.access = access
    self.cost = cost
  }
}

/// The one table of access and costs. A method that is missing in it cannot be called.
struct MethodAccessTable: Sendable {
  private let rules: [MethodDescriptor: MethodRule]

  /// The table. Server reflection is for every caller if `reflectionIsPublic`, or else for those who may read users.
  init(reflectionIsPublic: Bool) {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    // Each message after the first costs as much as the call.
    let reflection = MethodRule(reflectionIsPublic ? .everyCaller : .scope(.usersRead), .little)
    rules = [
      // Their caller has a token, whose check is counted by itself.
      Users.GetUser.descriptor: MethodRule(.scopeOrSelf(.usersRead), .nothing),
      Users.ListUsers.descriptor: MethodRule(.scope(.usersRead), .nothing),
      Users.BulkCreateUsers.descriptor: MethodRule(.scope(.usersWrite), .nothing),
      // But for what ``CallAuthorization/admitOwnUpdate()`` counts.
      Users.UserUpdates.descriptor: MethodRule(.scopeOrSelf(.usersWrite), .nothing),
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

  /// The rule of `method`; nil if it cannot be called.
  subscript(method: MethodDescriptor) -> MethodRule? { rules[method] }
}
