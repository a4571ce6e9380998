import Foundation
import NIOCore

/// The reason why an address cannot be listened on, and the remedy, as text for an operator. The text does not name
/// the address.
public struct BindFailure: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) {
    self.description = description
  }

  /// Describes `error`, thrown while binding a TCP address.
  public init(_ error: any Error) {
    switch error {
    case let failure as BindFailure: self = failure
    case let error as IOError: self.init(tcp: error.errnoCode)
    case is SocketAddressError: self.init("the address is not an IP address")
    default: self.init("\(error)")
    }
  }

  private init(tcp code: CInt) {
    switch code {
    case EADDRINUSE: self.init("the address is in use; stop the other program or choose another port")
    case EADDRNOTAVAIL: self.init("this machine does not have the address")
    case EACCES, EPERM: self.init("permission denied; a port below 1024 needs CAP_NET_BIND_SERVICE")
    case EAFNOSUPPORT: self.init("this machine does not support addresses of this kind")
    case EMFILE, ENFILE: self.init("too many open files; raise the descriptor limit (ulimit -n)")
    default: self.init(Self.words(code))
    }
  }

  /// Describes `code`, the error of binding a Unix-domain socket at `path`.
  init(unix code: CInt, _ path: String) {
    switch code {
    case ENOENT, ENOTDIR: self.init("the folder does not exist; create it first")
    case EACCES, EPERM: self.init("permission denied; the folder must be writable for this user")
    case EROFS: self.init("the file system is read-only")
    case EADDRINUSE: self.init("another file was created at this path; try again")
    case EMFILE, ENFILE: self.init("too many open files; raise the descriptor limit (ulimit -n)")
    default: self.init(Self.words(code))
    }
  }

  /// Describes `error`, thrown by Foundation while reading a file.
  static func words(for error: any Error) -> String {
    switch (error as NSError).userInfo[NSUnderlyingErrorKey] {
    case let error as POSIXError: words(error.code.rawValue)
    case let error as NSError where error.domain == NSPOSIXErrorDomain: words(CInt(error.code))
    default: error.localizedDescription
    }
  }

  /// Returns the system's description of an error (strerror(3)), in lower case.
  static func words(_ code: CInt) -> String {
    let words = String(cString: strerror(code))
    return words.prefix(1).lowercased() + words.dropFirst()
  }
}
