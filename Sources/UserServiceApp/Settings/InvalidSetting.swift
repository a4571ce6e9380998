/// A setting that cannot be used. One line that names the setting.
public struct InvalidSetting: Error, CustomStringConvertible {
  public let description: String
}
