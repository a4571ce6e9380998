import Foundation
import TestSupport
import UserDomain
import UserStore
import UserStoreSQLite

/// A second process for the store's tests: `store-probe COMMAND DATABASE`.
@main
struct StoreProbe {
  static func main() async throws {
    guard CommandLine.arguments.count == 3 else { throw Usage() }
    let path = CommandLine.arguments[2]
    switch CommandLine.arguments[1] {
    case "create-forever": try await createForever(path)
    case "create-unprivileged": try await createUnprivileged(path)
    case "status-unprivileged": try statusUnprivileged(path)
    default: throw Usage()
    }
  }

  struct Usage: Error {}

  /// Creates users from several tasks until it is killed. Prints each id on its own line once the store has
  /// acknowledged it.
  private static func createForever(_ path: String) async throws {
    let repository = try SQLiteUserRepository(.file(path))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for number in 0... {
            let sample = NewUser(
              email: EmailAddress(trusted: "\(getpid())-\(writer)-\(number)@example.com"),
              name: UserName(trusted: ""))
            let user = try await repository.create(sample)
            // One write of less than PIPE_BUF bytes is atomic, even when the process is killed (pipe(7)).
            FileHandle.standardOutput.write(Data("\(user.id)\n".utf8))
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// Creates one user as an unprivileged system user, who is subject to file permissions, and prints the outcome.
  private static func createUnprivileged(_ path: String) async throws {
    try giveUpPrivileges()
    do {
      let repository = try SQLiteUserRepository(.file(path))
      _ = try await repository.create(.sample(1))
      print("created")
    } catch {
      print(error)
    }
  }

  /// Prints the version of the database, or the error, as an unprivileged system user.
  private static func statusUnprivileged(_ path: String) throws {
    try giveUpPrivileges()
    do {
      print(try SQLiteMigrator(path: path).status().version)
    } catch {
      print(error)
    }
  }

  private static func giveUpPrivileges() throws {
    if geteuid() == 0 {
      guard setgid(65_534) == 0, setuid(65_534) == 0 else { throw POSIXError(.EPERM) }
    }
  }
}
