import Foundation
import GRPCNghttp2Transport
import PasswordHashing
import Testing
import UserAPI
import UserDomain
import UserStoreSQLite

@testable import UserServiceApp

@Suite struct SettingTests {
  @Test("every setting has samples")
  func samples() {
    #expect(SettingSample.all.map(\.name) == Setting.all.map(\.name))
  }

  @Test("a setting changes only its own value", arguments: SettingSample.all)
  func isRead(sample: SettingSample) throws {
    let setting = Setting.named(sample.name)
    for text in sample.accepted {
      let configuration = try ServiceConfiguration(
        flags: sample.companions, file: nil, environment: [setting.variable: text])
      #expect(setting.text(configuration) == .value(text))
      #expect(setting.standard != .value(text), "a sample must differ from the default")
      for other in Setting.all where other.name != setting.name && sample.companions[other.name] == nil {
        #expect(other.text(configuration) == other.standard)
      }
    }
  }

  @Test(
    "a value out of bounds is refused, naming the setting, the value and the bounds",
    arguments: SettingSample.all)
  func isChecked(sample: SettingSample) throws {
    let setting = Setting.named(sample.name)
    for text in sample.refused {
      let error = #expect(throws: InvalidSetting.self) {
        try ServiceConfiguration(
          flags: sample.companions, file: nil, environment: [setting.variable: text])
      }
      let line = try #require(error?.description)
      #expect(line.hasPrefix("\(setting.name) is '\(text)'; it must be "))
      let values = setting.values.split(separator: ";")[0]
      #expect(line.hasSuffix(values))
    }
  }

  @Test("names, variables and flags are unique")
  func names() {
    let names = Setting.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(Set(Setting.all.map(\.variable)).count == names.count)
    let flags = Setting.all.filter { $0.flag != nil }.map(\.flagName)
    #expect(Set(flags).count == flags.count)
  }

  @Test("help is one sentence of plain text", arguments: Setting.all.map(\.name))
  func help(name: String) {
    let help = Setting.named(name).help
    #expect(help.first?.isUppercase == true && help.hasSuffix("."))
    #expect(!help.dropLast().contains(". "))
    #expect(!help.contains { "`|*\n".contains($0) })
    #expect(help.split(separator: " ").count <= 25)
  }

  @Test("a default is the initial value of its configuration")
  func defaults() {
    func expect(_ name: String, _ text: String) { #expect(Setting.named(name).standard == .value(text)) }
    let transport = Nghttp2ServerTransport.Configuration()
    expect("grpc.max.connections", "\(transport.maxConnections)")
    expect("grpc.send.timeout", transport.sendTimeout.text)
    expect("grpc.compression", transport.compression.rawValue)
    expect("auth.refresh.lifetime", SessionPolicy().refreshLifetime.text)
    expect("argon2.memory", "\(Argon2Parameters.recommended.memoryKiB)")
    expect("argon2.queue", "\(HashingLimits().queueLength)")
    expect("password.min.length", "\(PasswordPolicy().minimumLength)")
    expect("bulk.rows", "\(BulkLimits().rows)")
    expect("busy.timeout", SQLiteUserRepository.Configuration().busyTimeout.text)
  }

  @Test("a default written as a text can be read again")
  func writtenDefaults() throws {
    for setting in Setting.all {
      guard case .value(let text) = setting.standard else { continue }
      var configuration = ServiceConfiguration()
      try setting.apply(&configuration, text)
      #expect(setting.text(configuration) == setting.standard)
    }
  }
}

@Suite struct SettingsPageTests {
  @Test("docs/settings.md matches the table of settings")
  func current() throws {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: package.appendingPathComponent("docs/settings.md"), encoding: .utf8)
    #expect(page == SettingsPage.markdown + "\n", "./dev generate rebuilds it")
  }

  @Test("every setting has a row with its default", arguments: Setting.all.map(\.name))
  func rows(name: String) throws {
    let setting = Setting.named(name)
    let rows = SettingsPage.markdown.split(separator: "\n").filter { $0.contains("| `\(name)` |") }
    let row = try #require(rows.count == 1 ? rows.first : nil)
    let standard =
      switch setting.standard {
      case .value(let text): "`\(text)`"
      case .words(let words): words
      }
    #expect(row.contains("| `\(name)` | \(standard) |") && row.contains(setting.help))
  }

  @Test("bounds have thousands separators, permissions do not")
  func numbers() {
    #expect(SettingsPage.markdown.contains("| 65,536 to 1,073,741,824 |"))
    #expect(SettingsPage.markdown.contains("| 0600 to 0777 |"))
  }
}
