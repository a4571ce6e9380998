import Foundation

extension Error {
  /// What is wrong with the file that reading or writing has thrown this for, in words: "there is no such file". Without
  /// the path, and without Foundation's domains and codes.
  package var fileProblem: String {
    if let failure = self as? PrivateFile.Failure { return failure.reason }
    guard let code = systemCode else { return localizedDescription }
    switch code {
    case ENOENT: return "there is no such file"
    case EACCES, EPERM: return "permission denied"
    case EISDIR: return "it is a folder"
    case ENOTDIR: return "a part of its path is not a folder"
    case EEXIST: return "there is a file already"
    case ENOSPC, EDQUOT: return "the disk is full"
    case EROFS: return "the file system is read-only"
    case EMFILE, ENFILE: return "too many open files"
    default:
      let words = String(cString: strerror(code))
      return words.prefix(1).lowercased() + words.dropFirst()
    }
  }

  /// The errno beneath the error; nil if there is none.
  private var systemCode: Int32? {
    if let error = self as? POSIXError { return error.code.rawValue }
    let error = self as NSError
    if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
    return (error.userInfo[NSUnderlyingErrorKey] as? any Error)?.systemCode
  }
}
