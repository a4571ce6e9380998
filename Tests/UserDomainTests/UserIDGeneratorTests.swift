import Testing
import UserDomain

@Suite struct UserIDGeneratorTests {
  @Test("an id is advanced past only if that makes later ids greater")
  func advancesOnly() {
    var ids = UserIDGenerator()
    let time = Timestamp(microsecondsSinceEpoch: 1_000_000_000)
    let greater = UserID(high: 1_000_050 << 16 | 0x7f00, low: 1 << 63)
    let smaller = UserID(high: 1_000_050 << 16 | 0x7000, low: 1 << 63)
    ids.advance(past: greater)
    let first = ids.next(at: time)
    ids.advance(past: smaller)
    ids.advance(past: UserID(high: 0xffff << 48 | 0x4000, low: 1 << 63))
    #expect(first > greater)
    #expect(ids.next(at: time) > first)
  }

  private func time(_ milliseconds: Int64) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: milliseconds * 1_000)
  }

  private func generator(filledWith byte: UInt8) -> UserIDGenerator {
    UserIDGenerator { buffer in buffer.initializeMemory(as: UInt8.self, repeating: byte) }
  }

  @Test("the layout is that of RFC 9562 §5.7")
  func layout() {
    var ones = generator(filledWith: 0xff)
    #expect(ones.next(at: time(0x017f_22e2_79b0)).description == "017f22e2-79b0-77ff-bfff-ffffffffffff")
    var zeros = generator(filledWith: 0)
    #expect(zeros.next(at: time(0x017f_22e2_79b0)).description == "017f22e2-79b0-7000-8000-000000000000")
  }

  @Test("ids of one millisecond ascend, even when the counter overflows")
  func sameMillisecond() {
    var generator = UserIDGenerator()
    var last = generator.next(at: time(1_000))
    for _ in 0..<10_000 {
      let next = generator.next(at: time(1_000))
      #expect(next > last)
      last = next
    }
    #expect(last.high >> 16 > 1_000)
  }

  @Test("ids ascend even if the clock steps back")
  func clockStepsBack() {
    var generator = UserIDGenerator()
    var last = generator.next(at: time(1_000_000))
    for milliseconds in [999_999, 0, 500_000, -5, 1_000_000, 1_000_001] as [Int64] {
      let next = generator.next(at: time(milliseconds))
      #expect(next > last)
      last = next
    }
  }

  @Test("ids ascend past those of an earlier generator whose clock was ahead")
  func advance() {
    var earlier = UserIDGenerator()
    let newest = earlier.next(at: time(5_000_000))
    var generator = UserIDGenerator()
    generator.advance(past: newest)
    #expect(generator.next(at: time(1_000)) > newest)
    // An id of another version says nothing about time.
    generator = UserIDGenerator()
    generator.advance(past: UserID(high: .max, low: .max))
    #expect(generator.next(at: time(1_000)).high >> 16 == 1_000)
  }

  @Test("times beyond the layout's range are clamped, version and variant stay right")
  func extremes() {
    var generator = UserIDGenerator()
    let first = generator.next(at: Timestamp(microsecondsSinceEpoch: .min))
    let last = generator.next(at: Timestamp(microsecondsSinceEpoch: .max))
    let afterLast = generator.next(at: Timestamp(microsecondsSinceEpoch: .max))
    #expect(first < last)
    #expect(last < afterLast)
    for id in [first, last, afterLast] {
      #expect(id.high >> 12 & 0xf == 7)
      #expect(id.low >> 62 == 0b10)
    }
  }

  @Test("two generators never make the same id")
  func distinct() {
    var (one, other) = (UserIDGenerator(), UserIDGenerator())
    let ids = (0..<1_000).flatMap { _ in [one.next(at: time(1)), other.next(at: time(1))] }
    #expect(Set(ids).count == ids.count)
  }
}
