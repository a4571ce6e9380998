import GRPCNghttp2Transport
import TokenSigning

// Forms of values used by single settings.

extension SettingForm where Value == ListenAddress {
  /// An address to listen on.
  static var address: SettingForm {
    SettingForm("HOST:PORT with an IP address, or unix:PATH", write: \.description) { ListenAddress($0) }
  }

  /// An IP address and port.
  static var ipAddress: SettingForm {
    SettingForm("HOST:PORT with an IP address", write: \.description) { text in
      if let address = ListenAddress(text), case .tcp = address { address } else { nil }
    }
  }
}

extension SettingForm where Value == [ListenAddress] {
  /// Distinct addresses to listen on.
  static var addresses: SettingForm {
    SettingForm.list(of: "address", .address).converted { addresses throws(SettingRefusal) in
      for (index, address) in addresses.enumerated() {
        if let other = addresses[..<index].first(where: address.isSame) {
          let names =
            other == address ? "\(address) twice" : "\(other) and \(address), which are the same address"
          throw SettingRefusal(words: "names \(names)")
        }
      }
      return addresses
    } back: {
      $0
    }
  }
}

extension SettingForm where Value == Set<SignatureAlgorithm> {
  /// Signature algorithms.
  static var algorithms: SettingForm {
    SettingForm<[SignatureAlgorithm]>.list(of: "algorithm", .choice).converted {
      Set($0)
    } back: { algorithms in
      SignatureAlgorithm.allCases.filter(algorithms.contains)
    }
  }
}

extension SettingForm where Value == Nghttp2ServerTransport.Configuration.NetworkShare {
  /// A number of connections, `auto` or `none`.
  static var networkShare: SettingForm {
    let bounds = 1...1_000_000
    return SettingForm("\(bounds.lowerBound) to \(bounds.upperBound), auto or none") { share in
      switch share {
      case .automatic: "auto"
      case .unlimited: "none"
      case .connections(let count): "\(count)"
      }
    } parse: { text in
      switch text {
      case "auto": .automatic
      case "none": .unlimited
      default: Int(text).flatMap { bounds.contains($0) ? .connections($0) : nil }
      }
    }
  }
}

extension SettingForm where Value == UInt32 {
  /// File permissions in octal. The owner, which is the service, must be able to read and write the file.
  static var permissions: SettingForm {
    SettingForm("0600 to 0777", form: "permissions in octal, ") { mode in
      "0" + String(mode, radix: 8)
    } parse: { text in
      guard text.count <= 4, let mode = UInt32(text, radix: 8), mode & ~0o777 == 0, mode & 0o600 == 0o600
      else { return nil }
      return mode
    }
  }
}
