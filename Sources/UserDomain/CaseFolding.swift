import Foundation

extension StringProtocol {
  /// The text that is equal for texts that are a canonical caseless match (Unicode definition D145):
  /// NFD(toCasefold(NFD(text))).
  ///
  /// Swift has no case folding. Lower, upper and lower case of each scalar in turn gives the same result in all of
  /// Unicode, with two exceptions. Dotless `ı` folds to itself. Cherokee gets its other case, which still makes both
  /// cases equal.
  ///
  /// The store keeps such texts: changing the rule needs a migration.
  var caseFolded: String {
    if utf8.allSatisfy({ $0 < 0x80 }) { return lowercased() }
    var folded = String.UnicodeScalarView()
    for scalar in decomposedStringWithCanonicalMapping.unicodeScalars {
      if scalar == "\u{131}" {
        folded.append(scalar)
      } else {
        folded += scalar.properties.lowercaseMapping.uppercased().lowercased().unicodeScalars
      }
    }
    return String(folded).decomposedStringWithCanonicalMapping
  }
}
