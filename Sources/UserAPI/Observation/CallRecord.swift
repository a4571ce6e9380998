import GRPCCore
import GRPCProtobuf
import Logging
import Primitives
import Synchronization
import UserDomain

/// The log record of a call, written when the call ends.
final class CallRecord: Sendable {
  private let method: String
  private let peer: String
  private let requestID: String
  private let log: CallLog
  private let caller = Mutex(Principal.anonymous)

  init(_ metadata: Metadata, method: MethodDescriptor, peer: String, _ log: CallLog) {
    self.method = method.fullyQualifiedMethod
    self.peer = peer
    let given = metadata[stringValues: "x-request-id"].first { _ in true }
    requestID = given.flatMap { Self.isPlain($0) ? $0 : nil } ?? Hexadecimal.encode(SystemRandom.number())
    self.log = log
  }

  /// The caller's principal, once known.
  var principal: Principal {
    get { caller.withLock { $0 } }
    set { caller.withLock { $0 = newValue } }
  }

  /// Writes the record of a call that ended with `status`, nil for OK.
  func ended(_ status: RPCError?, after duration: Duration) {
    let microseconds = duration / .microseconds(1)
    var metadata: Logger.Metadata = [
      "method": "\(method)", "status": "\(status?.code.description ?? "ok")",
      "duration_ms": "\((microseconds / 10).rounded() / 100)", "peer": "\(peer)",
      "principal": "\(Self.printable(principal.subject))", "request_id": "\(requestID)",
    ]
    if let reason = status.flatMap(Self.reason(of:)) { metadata["reason"] = "\(reason)" }
    log.logger.log(level: CallLog.level, "call", metadata: metadata)
  }

  /// Returns the reason in the error's google.rpc.ErrorInfo, or nil.
  private static func reason(of error: RPCError) -> String? {
    // An error whose details cannot be decoded has no reason.
    let status = (error.cause as? GoogleRPCStatus) ?? (try? error.unpackGoogleRPCStatus())
    return status?.details.lazy.compactMap(\.errorInfo).first?.reason
  }

  /// Returns whether an id from a client is safe to log: it must not break or forge a line.
  private static func isPlain(_ id: String) -> Bool {
    (1...64).contains(id.utf8.count)
      && id.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// Makes a subject printable: a trusted issuer signs it, but may have let its user choose it.
  private static func printable(_ subject: String) -> String {
    String(
      String.UnicodeScalarView(subject.unicodeScalars.map { (0x21...0x7e).contains($0.value) ? $0 : "?" }))
  }
}
