import GRPCCore

extension MethodDescriptor {
  /// The one method of server reflection, as `v1` and as `v1alpha`.
  static let serverReflection = ["v1", "v1alpha"].map { package in
    MethodDescriptor(
      fullyQualifiedService: "grpc.reflection.\(package).ServerReflection", method: "ServerReflectionInfo",
      type: .bidirectionalStreaming)
  }
}
