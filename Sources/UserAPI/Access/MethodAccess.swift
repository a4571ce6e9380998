import GRPCCore
import UserDomain
import UserProtos

/// Who may call a method.
enum MethodAccess: Hashable, Sendable {
  /// Everybody; a token is not looked at, or makes no difference if it is no good.
  case everybody
  /// Whoever has the scope.
  case scope(Scopes)
  /// Whoever has the scope, or is the user whom the request is about: the handler knows who that is.
  case scopeOrSelf(Scopes)

  /// Checks what can be told without the request.
  ///
  /// - Throws: `UserError.permissionDenied`.
  func admit(_ principal: Principal) throws(UserError) {
    switch self {
    case .everybody: break
    case .scope(let scope): try principal.require(scope)
    case .scopeOrSelf(let scope):
      // A service is nobody's self.
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

  /// The table. Server reflection is for everybody if `reflectionIsPublic`, or else for those who may read
  /// users.
  init(reflectionIsPublic: Bool) {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    // Each message after the first costs as much as the call.
    let reflection = MethodRule(reflectionIsPublic ? .everybody : .scope(.usersRead), .little)
    rules = [
      // Their caller has a token, whose check is counted by itself.
      Users.GetUser.descriptor: MethodRule(.scopeOrSelf(.usersRead), .nothing),
      Users.ListUsers.descriptor: MethodRule(.scope(.usersRead), .nothing),
      Users.BulkCreateUsers.descriptor: MethodRule(.scope(.usersWrite), .nothing),
      // But for what ``CallAuthorization/admitOwnUpdate()`` counts.
      Users.UserUpdates.descriptor: MethodRule(.scopeOrSelf(.usersWrite), .nothing),
      Users.CreateUser.descriptor: MethodRule(.everybody, .full),

      Auth.SignIn.descriptor: MethodRule(.everybody, .full),
      Auth.RefreshToken.descriptor: MethodRule(.everybody, .medium),
      Auth.RevokeToken.descriptor: MethodRule(.everybody, .medium),
      Auth.GetJsonWebKeySet.descriptor: MethodRule(.everybody, .little),

      Health.Check.descriptor: MethodRule(.everybody, .nothing),
      Health.List.descriptor: MethodRule(.everybody, .nothing),
      Health.Watch.descriptor: MethodRule(.everybody, .nothing),

      MethodDescriptor.serverReflection[0]: reflection,
      MethodDescriptor.serverReflection[1]: reflection,
    ]
  }

  /// The rule of `method`; nil if it cannot be called.
  subscript(method: MethodDescriptor) -> MethodRule? { rules[method] }
}
