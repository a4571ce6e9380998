import Foundation
import UserServiceClient

extension ImportedUser {
  /// Sets the value of a column from its text. Empty text is the same as a column that is absent.
  ///
  /// - Throws: `Problem` if the text is invalid for the column.
  mutating func set(_ column: UserColumn, _ text: String) throws(UserFileRow.Problem) {
    switch column {
    case .id: id = text.isEmpty ? nil : text
    case .email: email = text
    case .name: name = text
    case .status: status = try User.Status(file: text)
    case .createdAt: createdAt = try Self.date(text, column.rawValue)
    case .updatedAt: updatedAt = try Self.date(text, column.rawValue)
    case .deletedAt: deletedAt = try Self.date(text, column.rawValue)
    case .purgeAt: purgeAt = try Self.date(text, column.rawValue)
    case .labels: if !text.isEmpty { labels = try Self.labels(text) }
    case .passwordHash: passwordHash = text.isEmpty ? nil : text
    case .password: password = text.isEmpty ? nil : text
    case .etag, .line, .reason: break
    }
  }

  /// Returns the date of a time of RFC 3339; nil for an empty text.
  static func date(_ text: String, _ name: String) throws(UserFileRow.Problem) -> Date? {
    if text.isEmpty { return nil }
    guard let date = RFC3339Time.date(text) else {
      throw UserFileRow.Problem("\(name) is not a time such as 2026-01-31T00:00:00Z")
    }
    return date
  }

  private static func labels(_ text: String) throws(UserFileRow.Problem) -> [String: String] {
    let value: JSONValue
    do throws(JSONReader.Fault) {
      value = try JSONValue(text: text)
    } catch {
      throw UserFileRow.Problem("labels is not a JSON object")
    }
    return try labels(value)
  }

  /// Returns the labels in an object of texts.
  static func labels(_ value: JSONValue) throws(UserFileRow.Problem) -> [String: String] {
    guard case .object(let members) = value else { throw UserFileRow.Problem("labels is not a JSON object") }
    var labels: [String: String] = [:]
    for (name, value) in members {
      guard let text = value.text else { throw UserFileRow.Problem("the label '\(name)' is not a string") }
      if labels.updateValue(text, forKey: name) != nil {
        throw UserFileRow.Problem("the label '\(name)' appears twice")
      }
    }
    return labels
  }
}

extension User.Status {
  /// Reads the status of a row in a file; empty text stands for active.
  ///
  /// - Throws: `Problem` for any other text.
  init(file text: String) throws(UserFileRow.Problem) {
    switch text {
    case "", "active": self = .active
    case "inactive": self = .inactive
    default: throw UserFileRow.Problem("status '\(text)' is neither active nor inactive")
    }
  }
}
