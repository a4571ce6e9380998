import GRPCCore

/// The server's methods by their paths, `/package.Service/Method`, exact and case-sensitive.
struct MethodTable: Sendable {
  private let methods: [[UInt8]: MethodDescriptor]

  init(_ methods: [MethodDescriptor]) {
    self.methods = Dictionary(methods.map { (Array("/\($0.fullyQualifiedMethod)".utf8), $0) }) { first, _ in
      first
    }
  }

  subscript(path: UnsafeBufferPointer<UInt8>) -> MethodDescriptor? { methods[Array(path)] }
}
