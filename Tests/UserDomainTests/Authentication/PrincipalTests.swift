import Testing
import UserDomain

@Suite struct PrincipalTests {
  private let id = UserID(high: 0x0123_4567_89ab_7def, low: 0x8123_4567_89ab_cdef)

  @Test("scopes are read by name, and unknown names are ignored")
  func scopes() {
    #expect(Scopes(names: ["users:read", "openid", "users:write"]) == [.usersRead, .usersWrite])
    #expect(Scopes(names: ["Users:Read", "users:read,users:write", ""]) == [])
    #expect(Scopes([.usersWrite, .usersRead]).names == ["users:read", "users:write"])
  }

  @Test("a user without scopes has rights only to itself, in any spelling of its id")
  func itself() throws {
    let user = Principal(subject: "\(id)", scopes: [])
    try user.require(.usersRead, orBe: id)
    try user.require(.usersWrite, orBe: UserReference("\(id)".uppercased()).id)
    for other in [nil, UserID(high: 1, low: 2), UserReference("\(id) ").id] {
      #expect(throws: UserError.permissionDenied(missing: .usersRead)) {
        try user.require(.usersRead, orBe: other)
      }
    }
    #expect(throws: UserError.permissionDenied(missing: .usersRead)) { try user.require(.usersRead) }
  }

  @Test("a service has the rights of its scopes, and its name does not make it a user")
  func service() throws {
    let service = Principal(subject: "billing", scopes: .usersRead)
    try service.require(.usersRead)
    try service.require(.usersRead, orBe: nil)
    #expect(throws: UserError.permissionDenied(missing: .usersWrite)) { try service.require(.usersWrite) }
    #expect(throws: UserError.permissionDenied(missing: .usersWrite)) {
      try service.require(.usersWrite, orBe: nil)
    }
    #expect(throws: UserError.permissionDenied(missing: .usersRead)) {
      try Principal.anonymous.require(.usersRead, orBe: nil)
    }
  }
}
