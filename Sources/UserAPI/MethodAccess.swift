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

/// The one table of who may call what. A method that is not in it nobody may call.
struct MethodAccessTable: Sendable {
  private let access: [MethodDescriptor: MethodAccess]

  /// The table. Server reflection is for everybody if `reflectionIsPublic`, or else for those who may read
  /// users.
  init(reflectionIsPublic: Bool) {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    let reflection: MethodAccess = reflectionIsPublic ? .everybody : .scope(.usersRead)
    access = [
      Users.GetUser.descriptor: .scopeOrSelf(.usersRead),
      Users.CreateUser.descriptor: .everybody,
      Users.ListUsers.descriptor: .scope(.usersRead),
      Users.BulkCreateUsers.descriptor: .scope(.usersWrite),
      Users.UserUpdates.descriptor: .scopeOrSelf(.usersWrite),

      Auth.SignIn.descriptor: .everybody,
      Auth.RefreshToken.descriptor: .everybody,
      Auth.RevokeToken.descriptor: .everybody,
      Auth.GetJsonWebKeySet.descriptor: .everybody,

      Health.Check.descriptor: .everybody,
      Health.List.descriptor: .everybody,
      Health.Watch.descriptor: .everybody,

      ReflectionHandler.methods[0]: reflection,
      ReflectionHandler.methods[1]: reflection,
    ]
  }

  subscript(method: MethodDescriptor) -> MethodAccess? { access[method] }
}
