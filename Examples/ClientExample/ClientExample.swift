import Foundation
import UserServiceClient

@main
struct ClientExample {
  static func main() async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let address = ServerAddress(environment["USER_SERVICE_ADDRESS"] ?? "localhost:50051") else {
      print("USER_SERVICE_ADDRESS must be HOST:PORT")
      return
    }

    // As Ada: any caller may create a user, and a user may read and change itself.
    try await withUserServiceClient(.init(address)) { client in
      let ada = NewUser(email: "ada@example.com", name: "Ada", password: "correct horse")
      do throws(UserServiceError) {
        let user = try await client.createUser(ada)
        print("created \(user.email)")
      } catch {
        guard case .emailAlreadyRegistered = error else { throw error }
        print("\(ada.email) is already registered")
      }
      do throws(UserServiceError) {
        try await client.signIn(email: ada.email, password: "wrong horse")
      } catch {
        print(error)
      }
      try await client.signIn(email: ada.email, password: "correct horse")
    }

    // As a service, with a token from `user-service token issue --scope users:read,users:write`.
    guard let token = environment["USER_SERVICE_TOKEN"] else { return }
    try await withUserServiceClient(.init(address, credentials: .accessToken(token))) { client in
      let result = try await client.bulkCreateUsers([
        NewUser(email: "bob@example.com", name: "Bob"), NewUser(email: "not an address"),
      ])
      print("created \(result.userIDs.count)")
      for failure in result.failures { print("row \(failure.index): \(failure.error)") }

      for try await user in client.listUsers(pageSize: 1_000) {
        print("\(user.email) is \(user.name)")
        if user.name == "Bob" {
          let changed = try await client.updateUser(UserUpdate(userID: user.id, name: "Robert"))
          print("the name is now \(changed.name)")
        }
      }
    }
  }
}
