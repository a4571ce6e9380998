import ArgumentParser
import UserServiceClient

/// `user-service users list`.
struct UsersListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show all users, or those that match a filter.",
    discussion: """
      The oldest come first, unless the filter has another order. A filter has comparisons joined by AND: \
      email = "ada@example.com", email = "ada*", name = "Ad*", status = INACTIVE, \
      create_time >= "2026-01-31T00:00:00Z", update_time < "2026-01-31T00:00:00Z", labels.tenant = "a". \
      An asterisk at the end of a text stands for any more characters.
      """)

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: ArgumentHelp("Show only users that match this filter.", valueName: "text"))
  var filter = ""
  @Flag(help: "Show deleted users, too.")
  var showDeleted = false
  @Option(help: ArgumentHelp("Show at most this many users.", valueName: "count"))
  var limit: Int?
  @Option(help: ArgumentHelp("Read this many users at a time, 1 to 1000.", valueName: "count"))
  var pageSize = 1_000

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit must not be negative") }
    guard (1...1_000).contains(pageSize) else { throw ValidationError("--page-size must be 1 to 1000") }
  }

  func run() async throws {
    try await connection.withClient { client in
      var output = output.writer
      var page: [User] = []
      var remaining = limit ?? .max
      if remaining > 0 {
        let listing = client.listUsers(
          pageSize: min(pageSize, remaining), filter: filter, showDeleted: showDeleted)
        for try await user in listing {
          page.append(user)
          remaining -= 1
          if page.count == pageSize {
            try output.show(page)
            page = []
          }
          if remaining == 0 { break }
        }
      }
      // An empty listing still has its header.
      try output.show(page)
    }
  }
}
