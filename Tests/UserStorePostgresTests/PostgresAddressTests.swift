import Testing
import UserStore

@testable import UserStorePostgres

/// Tests what an address shows.
@Suite struct PostgresAddressTests {
  @Test(
    "an address is shown without its password",
    arguments: [
      ("postgres://ada:s3cret@db.example.com:5433/users", "postgres://ada@db.example.com:5433/users"),
      ("postgresql://ada:s3cret@db.example.com/users", "postgres://ada@db.example.com/users"),
      ("postgres://ada:%733cret@db/users", "postgres://ada@db/users"),
      ("postgres://db/users?user=ada&password=s3cret", "postgres://ada@db/users"),
      ("postgres://db/users?sslpassword=s3cret", "postgres://db/users"),
      (
        "postgres://one,two:5433/users?password=s3cret&target_session_attrs=read-write",
        "postgres://one,two:5433/users"
      ),
      ("postgres://one:1,two:2/users?password=s3cret", "postgres://one:1,two:2/users"),
      ("postgres://:s3cret@/users?host=/run/postgresql", "postgres:///run/postgresql/users"),
      ("postgres://?service=users&password=s3cret", "postgres://?service=users"),
    ])
  func shown(uri: String, expected: String) throws {
    let address = try PostgresAddress(uri)
    #expect(address.description == expected)
    var dumped = ""
    dump(address, to: &dumped)
    dump([address], to: &dumped)
    for text in [
      "\(address)", String(reflecting: address), "\([address])", "\(Optional(address) as Any)", dumped,
    ] {
      #expect(!text.contains("s3cret") && !text.contains("733cret"))
    }
  }

  @Test(
    "the error about an invalid address shows no password",
    arguments: [
      "postgres://ada:s3cret@[::1/users", "postgres://ada:s3cret@[::1]users",
      "postgres://ada:s3cret%ZZ@db/users",
      "postgres://ada:s3cret%@db/users", "postgres://db/users?password=s3cret=x",
      "postgres://db/users?s3cret",
      "postgres://db/users?password=s3cret%00", "postgres://ada:s3cret@[]/users",
    ])
  func invalid(uri: String) throws {
    let error = #expect(throws: StoreError.self) { try PostgresAddress(uri) }
    let text = try #require(error).description
    #expect(!text.contains("s3cret"))
    #expect(text.hasPrefix("--database: "))
  }

  @Test(
    "a URI with an unescaped separator in the password is refused, and no part of it is shown",
    arguments: [
      "postgres://u:pa%ss@h/db", "postgres://u:s3cret[x@[::1/db", "postgres://u:s3cret]x@h/db",
      "postgres://u:s3cr/et@h:5999/db", "postgres://u:1234/s3cret@h/db", "postgres://u:s3cr@et@h/db",
      "postgres://u:s3cr:et@h/db", "postgres://u:s3cret@h:port/db", "postgres://u:s3cret%2@h/db",
      "postgres://u:s3cr%/et@h/db", "postgres://u:s3cret@[::1]x/db", "postgres://s3cret:et/db",
    ])
  func ambiguous(uri: String) throws {
    let error = #expect(throws: StoreError.self) { try PostgresAddress(uri) }
    let text = try #require(error).description
    for part in ["s3cr", "pa%", "et@", "ss@", "1234", "[x"] { #expect(!text.contains(part), "\(text)") }
    #expect(text.contains("write % as %25, / as %2F, @ as %40"))
  }

  @Test(
    "what libpq understands is accepted",
    arguments: [
      "postgres://", "postgres:///db", "postgres://h", "postgres://h:1/", "postgres://u@/db?host=/run",
      "postgres://u:p%25%2F%40%3F@[::1]:5432,h2,[fe80::1%25eth0]:1/db?sslmode=disable&options=-c%20a%3Db",
      "postgres://u:%C3%A4!$&'()*+;=-._~@%2Frun%2Fpostgresql:5432/d%C3%A4", "postgresql://?host=h&user=a@b",
    ])
  func accepted(uri: String) throws {
    _ = try PostgresAddress(uri)
  }

  @Test("the error about an unknown parameter names what is wrong")
  func unknownParameter() throws {
    let error = #expect(throws: StoreError.self) { try PostgresAddress("postgres://db/users?colour=red") }
    #expect(try #require(error).description.contains("invalid URI query parameter"))
  }

  @Test(
    "an address of PostgreSQL is told from a path",
    arguments: [
      ("postgres://", true), ("postgresql://db", true), ("users.db", false), ("postgres:users", false),
      ("./postgres://db", false),
    ])
  func isAddress(text: String, expected: Bool) {
    #expect(PostgresAddress.isAddress(text) == expected)
  }
}
