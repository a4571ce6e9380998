import Foundation
import UserStore

/// The text form of a setting's values. Every source gives a setting as one text.
struct SettingForm<Value: Sendable>: Sendable {
  /// The permitted values, in words: `1 to 64`.
  let values: String
  let shape: SettingShape
  /// Parses a text.
  let read: @Sendable (String) throws(SettingRefusal) -> Value
  /// Writes a value in a form that ``read`` accepts.
  let write: @Sendable (Value) -> SettingText

  init(
    _ values: String, shape: SettingShape = .single,
    read: @escaping @Sendable (String) throws(SettingRefusal) -> Value,
    write: @escaping @Sendable (Value) -> SettingText
  ) {
    self.values = values
    self.shape = shape
    self.read = read
    self.write = write
  }

  /// Creates a form in which `parse` returns nil for texts that are not among `values`.
  ///
  /// - Parameter form: the description of the form in an error, before `values`.
  init(
    _ values: String, form: String = "", shape: SettingShape = .single,
    write: @escaping @Sendable (Value) -> String, parse: @escaping @Sendable (String) -> Value?
  ) {
    self.init(values, shape: shape) { text throws(SettingRefusal) in
      guard let value = parse(text) else {
        throw SettingRefusal(words: "is '\(text)'; it must be \(form)\(values)")
      }
      return value
    } write: {
      .value(write($0))
    }
  }

  /// Returns a form with the same texts for other values.
  func converted<Other>(
    _ convert: @escaping @Sendable (Value) throws(SettingRefusal) -> Other,
    back: @escaping @Sendable (Other) -> Value
  ) -> SettingForm<Other> {
    SettingForm<Other>(values, shape: shape) { text throws(SettingRefusal) in
      try convert(try read(text))
    } write: {
      write(back($0))
    }
  }
}

/// The JSON values, besides strings, that the configuration file may use for a setting.
enum SettingShape: Sendable {
  /// A number, `true` or `false`.
  case single
  /// `true` or `false`.
  case truth
  /// A list of strings, equivalent to one text with commas.
  case list
}

/// The reason why a text is not a value of a setting; in an error it follows the setting's name.
struct SettingRefusal: Error {
  let words: String
}

extension SettingForm where Value == String {
  /// Any text that is not empty; `values` describes it.
  static func text(_ values: String) -> SettingForm {
    SettingForm(values, write: { $0 }, parse: { $0.isEmpty ? nil : $0 })
  }

  /// The address of a database, which is shown without the password that it may have.
  static func database(_ values: String) -> SettingForm {
    SettingForm(
      values,
      write: { text in
        do throws(StoreError) {
          return try DatabaseAddress(text).description
        } catch {
          // Refused where the database is opened, with the reason.
          return "an invalid address"
        }
      }, parse: { $0.isEmpty ? nil : $0 })
  }
}

extension SettingForm where Value == Int {
  /// A whole number within `bounds`.
  static func whole(_ bounds: ClosedRange<Int>) -> SettingForm {
    SettingForm("\(bounds.lowerBound) to \(bounds.upperBound)", write: { "\($0)" }) { text in
      Int(text).flatMap { bounds.contains($0) ? $0 : nil }
    }
  }
}

extension SettingForm where Value == Double {
  /// A number within `bounds`.
  static func number(_ bounds: ClosedRange<Double>) -> SettingForm {
    @Sendable func write(_ number: Double) -> String {
      Int(exactly: number).map { "\($0)" } ?? "\(number)"
    }
    return SettingForm("\(write(bounds.lowerBound)) to \(write(bounds.upperBound))", write: write) { text in
      Double(text).flatMap { bounds.contains($0) ? $0 : nil }
    }
  }
}

extension SettingForm where Value == Bool {
  /// `true` or `false`; `yes`, `no`, `1` and `0` are accepted too, in any letter case.
  static var truth: SettingForm {
    SettingForm("true or false", shape: .truth, write: { "\($0)" }) { text in
      switch text.lowercased() {
      case "true", "yes", "1": true
      case "false", "no", "0": false
      default: nil
      }
    }
  }

  /// `on` or `off`.
  static var onOrOff: SettingForm {
    SettingForm("on or off", write: { $0 ? "on" : "off" }, parse: { ["on": true, "off": false][$0] })
  }
}

extension SettingForm where Value == Duration {
  /// A duration within `bounds`.
  static func duration(_ bounds: ClosedRange<Duration>) -> SettingForm {
    SettingForm(
      "\(bounds.lowerBound.text) to \(bounds.upperBound.text)", form: "a duration such as 30s, ",
      write: { $0.text }
    ) { text in
      Duration(text: text).flatMap { bounds.contains($0) ? $0 : nil }
    }
  }
}

extension SettingForm
where Value: RawRepresentable & CaseIterable, Value.RawValue == String, Value.AllCases: Sendable {
  /// One of the values' names.
  static var choice: SettingForm {
    let names = Value.allCases.map(\.rawValue)
    let list = names.dropLast().joined(separator: ", ") + " or \(names[names.count - 1])"
    return SettingForm(list, write: { $0.rawValue }, parse: Value.init(rawValue:))
  }
}

extension SettingForm {
  /// The values of `form`, or the word `none` for nil.
  static func orNone<Wrapped>(_ form: SettingForm<Wrapped>) -> SettingForm where Value == Wrapped? {
    SettingForm("\(form.values), or none", shape: form.shape) { text throws(SettingRefusal) in
      if text == "none" { return nil }
      do throws(SettingRefusal) {
        return try form.read(text)
      } catch {
        throw SettingRefusal(words: "\(error.words), or none")
      }
    } write: { value in
      value.map(form.write) ?? .value("none")
    }
  }

  /// The values of `form`, or nil if no source gives the setting; `unset` describes nil.
  ///
  /// - Parameter mayBeEmpty: whether an empty text is nil too.
  static func optional<Wrapped>(
    _ form: SettingForm<Wrapped>, unset: String, mayBeEmpty: Bool = true
  ) -> SettingForm where Value == Wrapped? {
    SettingForm(form.values, shape: form.shape) { text throws(SettingRefusal) in
      mayBeEmpty && text.isEmpty ? nil : try form.read(text)
    } write: { value in
      value.map(form.write) ?? .words(unset)
    }
  }

  /// One or more texts in the form of `element`, separated by commas. `noun` names an element in errors.
  static func list<Element>(
    of noun: String, _ element: SettingForm<Element>
  ) -> SettingForm where Value == [Element] {
    SettingForm("\(element.values); several with commas", shape: .list) { text throws(SettingRefusal) in
      var values: [Element] = []
      for part in text.split(separator: ",") {
        values.append(try element.read(part.trimmingCharacters(in: .whitespaces)))
      }
      guard !values.isEmpty else { throw SettingRefusal(words: "names no \(noun)") }
      return values
    } write: { values in
      .value(values.map { element.write($0).description }.joined(separator: ","))
    }
  }
}

extension SettingForm where Value == String? {
  /// The path of a file, or nil; `unset` describes nil.
  static func path(unset: String) -> SettingForm {
    .optional(.text("a path"), unset: unset)
  }
}
