import Foundation
import Primitives
import Testing

@Suite struct FileProblemTests {
  @Test("problems of files are described in words, also those inside Foundation's errors")
  func words() {
    #expect(POSIXError(.ENOSPC).fileProblem == "the disk is full")
    #expect(POSIXError(.EBUSY).fileProblem == "device or resource busy")
    let error = #expect(throws: (any Error).self) {
      try Data(contentsOf: URL(fileURLWithPath: "/nonexistent/file"))
    }
    #expect(error?.fileProblem == "no such file")
    let failure = #expect(throws: PrivateFile.Failure.self) { try PrivateFile(path: "/nonexistent/file") }
    #expect(failure?.fileProblem == "No such file or directory")
  }
}
