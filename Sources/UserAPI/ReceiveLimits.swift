public import GRPCCore
import UserProtos

/// The one table of how large a request's messages may be.
///
/// A transport that knows it refuses what is larger before it keeps or inflates it. Each limit leaves room for what
/// the domain refuses with a reason of its own, and for fields to come.
public enum ReceiveLimits {
  /// A message that creates or changes a user, or signs one in. The largest valid one has 2.4 KB: an address of 254
  /// bytes, a name of 256 characters of 4 bytes, a password of 1,024 bytes, an id, and their tags. What is left is for
  /// white space, and for passwords that get shorter when they are normalised.
  private static let user = 8 * 1_024
  /// A question with an id, a token or a name.
  private static let question = 1_024
  /// A question for the descriptors of a file or a symbol.
  private static let reflection = 4 * 1_024

  /// Bytes of the largest message of a request, inflated, by method.
  public static let all: [MethodDescriptor: Int] = {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    return [
      Users.GetUser.descriptor: question,
      Users.CreateUser.descriptor: user,
      Users.ListUsers.descriptor: question,
      Users.BulkCreateUsers.descriptor: user,
      Users.UserUpdates.descriptor: user,

      Auth.SignIn.descriptor: user,
      Auth.RefreshToken.descriptor: question,
      Auth.RevokeToken.descriptor: question,
      Auth.GetJsonWebKeySet.descriptor: question,

      Health.Check.descriptor: question,
      Health.List.descriptor: question,
      Health.Watch.descriptor: question,

      MethodDescriptor.serverReflection[0]: reflection,
      MethodDescriptor.serverReflection[1]: reflection,
    ]
  }()
}
