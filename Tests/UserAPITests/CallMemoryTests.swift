import Testing

@testable import UserAPI

@Suite struct CallMemoryTests {
  @Test("a call may hold its share, within the limit of all calls, and gives it back at its end")
  func shares() {
    let memory = CallMemory(limit: 48 * 1_024, largestShare: 24 * 1_024)
    let first = memory.share()
    #expect(first.hold(20 * 1_024))
    #expect(!first.hold(4 * 1_024))
    first.release()
    #expect(first.hold(20 * 1_024))
    var second: CallMemory.Share? = memory.share()
    #expect(second?.hold(20 * 1_024) == true)
    let third = memory.share()
    #expect(third.hold(1_024))
    #expect(!third.hold(1))
    second = nil
    #expect(third.hold(1))
  }
}
