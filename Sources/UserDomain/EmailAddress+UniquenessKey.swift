extension EmailAddress {
  /// The text that two addresses share if and only if they belong to one account.
  ///
  /// The local part is compared by canonical caseless matching (Unicode definition D145): NFD, full case folding, NFD.
  /// The domain is compared by its A-labels (RFC 5891 §5), so `ß` is not `ss` there. A domain that IDNA 2008 forbids,
  /// but earlier versions accepted, is compared like the local part.
  ///
  /// The store keeps the key: changing the rule needs a migration.
  public var uniquenessKey: String {
    var text = address
    switch text.withUTF8(Letters.init) {
    case .lowerCaseASCII: return address
    case .ascii: return address.lowercased()
    case .foreign: return foreignKey
    }
  }

  private enum Letters {
    case lowerCaseASCII, ascii, foreign

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
      var union: UInt8 = 0
      var upperCase: UInt8 = 0
      // Without branches, so that many bytes are looked at together.
      for byte in bytes {
        union |= byte
        // `A` to `Z`; smaller bytes wrap around.
        upperCase |= byte &- 0x41 < 26 ? 1 : 0
      }
      self = union >= 0x80 ? .foreign : upperCase != 0 ? .ascii : .lowerCaseASCII
    }
  }

  private var foreignKey: String {
    guard let (localPart, domain) = Self.split(address) else { return address.caseFolded }
    let key: String
    do throws(DomainName.Fault) {
      key = try DomainName.aLabels(domain)
    } catch {
      key = domain.caseFolded
    }
    return "\(localPart.caseFolded)@\(key)"
  }
}
