import Crypto
import CryptoExtras
import Primitives
import UserDomain

/// A hash by Firebase's scrypt (github.com/firebase/scrypt): the project's signer key, encrypted by AES-256 in counter mode
/// with a key that scrypt derives from the password.
struct FirebaseScryptHash: StoredHash {
  private let cost: ScryptCost
  private let salt: [UInt8]
  private let hash: [UInt8]
  private let signerKey: [UInt8]

  var memoryBytes: Int { cost.memoryBytes }

  /// Parses `$firescrypt$ln=14,r=8,p=1$<salt>$<hash>$<salt separator>$<signer key>`, all in base64 (Ory Kratos,
  /// hash/hash_comparator.go). `ln` is Firebase's `mem_cost`, `r` its `rounds`.
  init(_ text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: "firescrypt", counts: 7...7)
    let costs = try fields.values(2, ["ln", "r", "p"])
    cost = try ScryptCost(logarithm: costs[0], blockSize: costs[1], parallelism: costs[2], fields)
    salt = try fields.base64(3, "salt", HashFields.saltBounds) + fields.base64(5, "salt separator", 0...64)
    signerKey = try fields.base64(6, "signer key", 16...128)
    hash = try fields.base64(4, "hash", signerKey.count...signerKey.count)
  }

  func time(forLength length: Int) -> Duration { cost.time }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    let key = try cost.key(phrase, salt: salt, length: 32)
    do {
      // The counter begins at 0.
      let nonce = try AES._CTR.Nonce(nonceBytes: [UInt8](repeating: 0, count: 16))
      let computed = try AES._CTR.encrypt(signerKey, using: SymmetricKey(data: key), nonce: nonce)
      return isEqualInConstantTime(computed, hash)
    } catch {
      // The lengths of key and nonce are AES's.
      throw .passwordHashing("firescrypt: \(error)")
    }
  }
}
