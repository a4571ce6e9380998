import UserDomain

/// The n-th user of a benchmark's population: distinct addresses in no particular order, as real ones arrive.
struct SampleUser {
  let email: String
  let name: String

  init(_ number: Int) {
    // An odd multiplier permutes 32-bit numbers, so addresses are distinct and spread over the index.
    let scattered = UInt32(truncatingIfNeeded: number) &* 2_654_435_761
    email = "user-\(String(scattered, radix: 16))@example.com"
    name = "Sample User \(number)"
  }

  var validated: NewUser {
    get throws { NewUser(email: try EmailAddress(email), name: try UserName(name)) }
  }
}
