import GRPCCore

extension ServerContext {
  /// The context of a call of `method`.
  static func test(_ method: MethodDescriptor, peer: String = "ipv4:192.0.2.1:50000") -> ServerContext {
    ServerContext(descriptor: method, remotePeer: peer, localPeer: "test:2", cancellation: .init())
  }
}
