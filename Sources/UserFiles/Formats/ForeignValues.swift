import Foundation
import UserServiceClient

extension JSONValue {
  /// Returns the text of a member that is the user's address.
  ///
  /// - Throws: `Problem` if it is absent.
  func requiredAddress(_ name: String) throws(UserFileRow.Problem) -> String {
    guard let address = try text(name), !address.isEmpty else { throw .missingAddress }
    return address
  }

  /// Returns the date of a member that counts milliseconds since 1970 and may be absent.
  ///
  /// - Throws: `Problem` for any other value.
  func milliseconds(_ name: String) throws(UserFileRow.Problem) -> Date? {
    try integer(name).map { Date(timeIntervalSince1970: Double($0) / 1_000) }
  }

  /// Returns the date of a member that is a time of RFC 3339 and may be absent.
  ///
  /// - Throws: `Problem` for any other value.
  func time(_ name: String) throws(UserFileRow.Problem) -> Date? {
    guard let text = try text(name) else { return nil }
    return try ImportedUser.date(text, name)
  }
}

extension UserFileRow.Problem {
  /// The user has no address, without which this service cannot store it.
  static let missingAddress = Self("the user has no e-mail address")
}

extension ImportedUser {
  /// Sets the id in another system: as the id if it is a UUID, or else as the value of a label.
  mutating func setForeignID(_ text: String?, label: String) {
    guard let text, !text.isEmpty else { return }
    if UUID(uuidString: text) != nil { id = text } else { labels[label] = text }
  }
}
