import Foundation
import Primitives
import Testing

@Suite struct FileProblemTests {
  @Test("what is wrong with a file is said in words, beneath Foundation's errors too")
  func words() {
    #expect(POSIXError(.ENOSPC).fileProblem == "the disk is full")
    #expect(POSIXError(.EBUSY).fileProblem == "device or resource busy")
    let error = #expect(throws: (any Error).self) {
      try Data(contentsOf: URL(fileURLWithPath: "/nonexistent/file"))
    }
    #expect(error?.fileProblem == "there is no such file")
    let failure = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: "/nonexistent/file") }
    #expect(failure?.fileProblem == "No such file or directory")
  }
}
