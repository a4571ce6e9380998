import Testing
import UserDomain

@Suite struct UserVersionTests {
  @Test("an etag names its version", arguments: [Int64.min, -1, 0, 1, 1_764_460_800_000_000, .max])
  func roundTrip(microseconds: Int64) {
    let version = UserVersion(Timestamp(microsecondsSinceEpoch: microseconds))
    #expect(UserVersion(etag: version.etag) == version)
    #expect(version.etag.utf8.count == UserVersion.etagLength)
    let written = [UInt8](unsafeUninitializedCapacity: UserVersion.etagLength) { buffer, count in
      version.writeEtag(to: UnsafeMutableRawPointer(buffer.baseAddress!))
      count = UserVersion.etagLength
    }
    #expect(String(decoding: written, as: UTF8.self) == version.etag)
  }

  @Test(
    "other text names none",
    arguments: [
      "", "x", "000000000000000", "00000000000000000", "000000000000000g", "+00000000000000f",
      "00000000000000é",
    ])
  func other(text: String) {
    #expect(UserVersion(etag: text) == nil)
  }
}
