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

/// What a call costs, for the limit of those that need no token: hundredths of the calls that `peer.rate` and
/// `peer.burst` count.
///
/// They are about in proportion to the time that a call takes of a processor and of the disk, rounded up. What honest
/// clients do often is cheap enough for the limit not to be in their way.
enum CallCost: Int, Sendable {
  /// Less than a refusal would: health checks, which load balancers make by the second.
  case nothing = 0
  /// An answer from memory.
  case little = 10
  /// A signature, or a durable write that replaces another.
  case medium = 25
  /// The hash of a password, or a row that stays.
  case full = 100
}

/// The one table of access and costs. A method that is missing in it cannot be called.
struct MethodAccessTable: Sendable {
  private typealias Rule = (access: MethodAccess, cost: CallCost)

  private let rules: [MethodDescriptor: Rule]

  /// The table. Server reflection is for everybody if `reflectionIsPublic`, or else for those who may read
  /// users.
  init(reflectionIsPublic: Bool) {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    // Each message after the first costs as much as the call.
    let reflection: Rule = (reflectionIsPublic ? .everybody : .scope(.usersRead), .little)
    rules = [
      // Their caller has a token, whose check is counted by itself.
      Users.GetUser.descriptor: (.scopeOrSelf(.usersRead), .nothing),
      Users.ListUsers.descriptor: (.scope(.usersRead), .nothing),
      Users.BulkCreateUsers.descriptor: (.scope(.usersWrite), .nothing),
      // But for what ``CallAuthorization/admitOwnUpdate`` counts.
      Users.UserUpdates.descriptor: (.scopeOrSelf(.usersWrite), .nothing),
      Users.CreateUser.descriptor: (.everybody, .full),

      Auth.SignIn.descriptor: (.everybody, .full),
      Auth.RefreshToken.descriptor: (.everybody, .medium),
      Auth.RevokeToken.descriptor: (.everybody, .medium),
      Auth.GetJsonWebKeySet.descriptor: (.everybody, .little),

      Health.Check.descriptor: (.everybody, .nothing),
      Health.List.descriptor: (.everybody, .nothing),
      Health.Watch.descriptor: (.everybody, .nothing),

      ReflectionHandler.methods[0]: reflection,
      ReflectionHandler.methods[1]: reflection,
    ]
  }

  /// The access to `method`; nil if it cannot be called.
  subscript(method: MethodDescriptor) -> MethodAccess? { rules[method]?.access }

  /// What a call of `method` takes out of its peer's limit.
  func cost(of method: MethodDescriptor) -> CallCost { rules[method]?.cost ?? .nothing }
}
