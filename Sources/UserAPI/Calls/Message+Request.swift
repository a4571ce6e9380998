import GRPCProtobuf
import SwiftProtobuf

extension Message {
  /// Decodes a request. Why it cannot be decoded is of no use to the client.
  ///
  /// - Parameter metadata: added to the ErrorInfo of the status.
  /// - Throws: `GoogleRPCStatus` of an undecodable request.
  init(request message: [UInt8], metadata: [String: String] = [:]) throws {
    do {
      try self.init(serializedBytes: message)
    } catch {
      throw GoogleRPCStatus.undecodable(metadata: metadata)
    }
  }
}
