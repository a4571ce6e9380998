import Foundation
import Testing

@testable import UserServiceApp

@Suite struct ShutdownWatchTests {
  @Test("a shutdown that hangs ends the process with exit code 1")
  func hangs() async {
    await #expect(processExitsWith: .exitCode(1)) {
      let watch = ShutdownWatch(grace: .zero, margin: .milliseconds(50), writer: .text)
      watch.arm()
      while true { pause() }
    }
  }
}
