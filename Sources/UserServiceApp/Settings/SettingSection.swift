/// A part of the settings, as docs/settings.md shows them.
package struct SettingSection: Sendable {
  /// The section's heading.
  package let title: String
  /// What stands above the settings, in Markdown.
  let introduction: String?
  package let settings: [Setting]
  /// What stands below the settings, in Markdown.
  let remarks: String?

  /// Every section.
  package static let all: [SettingSection] = [.service, .callers, .transport]
}
