import GRPCProtobuf
import SwiftProtobuf

extension Message {
  /// Decodes a request. The reason of a failure is dropped: it is of no use to the client.
  ///
  /// - Parameter metadata: added to the ErrorInfo of the status.
  /// - Throws: `GoogleRPCStatus` for a request that cannot be decoded.
  init(request message: [UInt8], metadata: [String: String] = [:]) throws {
    do {
      try self.init(serializedBytes: message)
    } catch {
      throw GoogleRPCStatus.undecodable(metadata: metadata)
    }
  }
}
