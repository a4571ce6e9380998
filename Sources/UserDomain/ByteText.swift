/// A text that is equal to another if its bytes are, as the store compares them. Swift's own `==` ignores differences of
/// composition, as between é and e with an accent behind it.
protocol ByteText: Hashable {
  /// The text.
  var bytesOfText: String.UTF8View { get }
}

extension ByteText {
  public static func == (left: Self, right: Self) -> Bool {
    left.bytesOfText.elementsEqual(right.bytesOfText)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in bytesOfText { hasher.combine(byte) }
    // As String does, so that two texts side by side differ by where one ends.
    hasher.combine(UInt8(0xff))
  }
}

extension EmailAddress: ByteText { var bytesOfText: String.UTF8View { address.utf8 } }
extension UserName: ByteText { var bytesOfText: String.UTF8View { text.utf8 } }
extension UserLabels: ByteText { var bytesOfText: String.UTF8View { text.utf8 } }
