import GRPCCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct MethodTableLimitTests {
  @Test("a method has its own limit or the maximum, which bounds every limit")
  func limits() {
    let methods = ["Small", "Large", "None"].map {
      MethodDescriptor(fullyQualifiedService: "test.Service", method: $0, type: .unary)
    }
    // Descriptors without a type, as in a table of limits.
    let untyped = methods.map {
      MethodDescriptor(fullyQualifiedService: $0.service.fullyQualifiedService, method: $0.method)
    }
    let table = MethodTable(methods, limits: [untyped[0]: 10, untyped[1]: 1_000], maximum: 100)
    let limits = methods.map { method in
      Array("/\(method.fullyQualifiedMethod)".utf8).withUnsafeBufferPointer {
        table[$0]?.maxReceiveMessageSize
      }
    }
    #expect(limits == [10, 100, 100])
    #expect(table.largestMessage == 100)
  }
}
