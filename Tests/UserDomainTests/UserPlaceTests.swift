import Testing
import UserDomain

@Suite struct UserPlaceTests {
  private let time = Timestamp(microsecondsSinceEpoch: 1_764_460_800_123_456)

  @Test("an id of the time of creation is its own place")
  func own() {
    var ids = UserIDGenerator()
    for _ in 0..<100 {
      #expect(UserPlace.other(than: ids.random(at: time), createdAt: time) == nil)
    }
    #expect(UserPlace.other(than: ids.next(at: time), createdAt: time) == nil)
  }

  @Test("any other id has a place among those of its time, always the same")
  func derived() throws {
    var ids = UserIDGenerator()
    let later = Timestamp(microsecondsSinceEpoch: time.microsecondsSinceEpoch + 1_000)
    let others = [
      UserID(high: 0xdead_beef_1234_4000, low: 0x8000_0000_0000_0001), UserID(high: 0, low: 1), .last,
      ids.random(at: later),
    ]
    for id in others {
      let place = try #require(UserPlace.other(than: id, createdAt: time))
      #expect(place == UserPlace.other(than: id, createdAt: time))
      #expect(place.isVersion7)
      #expect(place > UserPlace.first(at: time) && place < UserPlace.last(at: time))
      #expect(UserPlace.other(than: place, createdAt: time) == nil)
    }
    #expect(UserPlace.last(at: time) < UserPlace.first(at: later))
  }

  @Test("times outside the range of an id have the first or the last places")
  func clamped() {
    let before = Timestamp(microsecondsSinceEpoch: .min)
    let after = Timestamp(microsecondsSinceEpoch: .max)
    #expect(UserPlace.first(at: before) == UserID(high: 0, low: 0))
    #expect(UserPlace.last(at: after) == UserPlace.last(at: UserPlace.time(of: .last)))
  }
}
