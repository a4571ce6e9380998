import Foundation

extension Error {
  /// The problem that this error of reading or writing a file describes, in words: "no such file". It omits the path,
  /// and Foundation's domains and codes.
  package var fileProblem: String {
    if let failure = self as? PrivateFile.Failure { return failure.reason }
    guard let code = systemCode else { return localizedDescription }
    switch code {
    case ENOENT: return "no such file"
    case EACCES, EPERM: return "permission denied"
    case EISDIR: return "it is a folder"
    case ENOTDIR: return "part of its path is not a folder"
    case EEXIST: return "the file already exists"
    case ENOSPC, EDQUOT: return "the disk is full"
    case EROFS: return "the file system is read-only"
    case EMFILE, ENFILE: return "too many open files"
    default:
      let words = String(cString: strerror(code))
      return words.prefix(1).lowercased() + words.dropFirst()
    }
  }

  /// The errno of the error; nil if it has none.
  private var systemCode: Int32? {
    if let error = self as? POSIXError { return error.code.rawValue }
    let error = self as NSError
    if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
    return (error.userInfo[NSUnderlyingErrorKey] as? any Error)?.systemCode
  }
}
