public import GRPCCore
import UserProtos

/// The one table of the maximum sizes of a request's messages.
///
/// A transport with these limits refuses a larger message before it stores or inflates it. Each limit leaves room for
/// values that the domain refuses with a reason of its own, and for future fields.
public enum ReceiveLimits {
  /// A message that creates, changes or signs in a user. The largest valid one has 6.6 KB: an address of 254 bytes, a
  /// name of 256 four-byte characters, two passwords of 1,024 bytes or a password's hash, 16 labels of 200 bytes, an id, and
  /// the tags. The rest is for white space, and for passwords that normalisation shortens.
  private static let user = 8 * 1_024
  /// A request with a filter, of at most 4,096 bytes, and a page token, which may have a name of 3 KB.
  private static let listing = 12 * 1_024
  /// A request with 1,000 ids, and room for the reason why others are refused.
  private static let batch = 64 * 1_024
  /// A request with an id, a token or a name.
  private static let question = 1_024
  /// A request for the descriptors of a file or a symbol.
  private static let reflection = 4 * 1_024

  /// The maximum size of a request's message in bytes, inflated, by method.
  public static let all: [MethodDescriptor: Int] = {
    typealias Users = User_V1_UserService.Method
    typealias Auth = Auth_V1_AuthService.Method
    typealias Health = Grpc_Health_V1_Health.Method
    return [
      Users.GetUser.descriptor: question,
      Users.CreateUser.descriptor: user,
      Users.GetUserByEmail.descriptor: question,
      Users.BatchGetUsers.descriptor: batch,
      Users.ListUsers.descriptor: listing,
      Users.BulkCreateUsers.descriptor: user,
      Users.UserUpdates.descriptor: user,
      Users.UpdateUser.descriptor: user,
      Users.DeleteUser.descriptor: user,
      Users.UndeleteUser.descriptor: question,
      Users.ImportUsers.descriptor: user,
      Users.ExportUsers.descriptor: question,

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
