/// A value of a setting, as text.
package enum SettingText: Hashable, Sendable, CustomStringConvertible {
  /// A text that sets this value.
  case value(String)
  /// Words for the value of a setting that no source gives, where no text stands for it.
  case words(String)

  package var description: String {
    switch self {
    case .value(let text), .words(let text): text
    }
  }
}
