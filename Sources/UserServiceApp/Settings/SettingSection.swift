/// A section of the settings in docs/settings.md.
package struct SettingSection: Sendable {
  /// The section's heading.
  package let title: String
  /// Text above the settings, in Markdown.
  let introduction: String?
  package let settings: [Setting]
  /// Text below the settings, in Markdown.
  let remarks: String?

  /// Every section.
  package static let all: [SettingSection] = [.service, .callers, .transport]
}

extension Setting {
  /// Every setting, in the order of docs/settings.md.
  package static let all = SettingSection.all.flatMap(\.settings)

  /// The setting of that name, which must exist.
  package static func named(_ name: String) -> Setting {
    guard let setting = all.first(where: { $0.name == name }) else {
      preconditionFailure("unknown setting '\(name)'")
    }
    return setting
  }
}
