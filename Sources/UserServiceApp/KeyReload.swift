import Logging
import Primitives
import ServiceLifecycle
import TokenSigning
import UserDomain

/// Checks every 2 seconds whether the key files have changed. The authority reports the result.
struct KeyReload: Service, CustomStringConvertible {
  let authority: TokenAuthority

  var description: String { "key reload" }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await Polling(every: .seconds(2)).run { await authority.reload() }
    }
  }
}

extension Logger {
  /// Logs the result of reading the key files.
  func log(_ event: KeyEvent) {
    switch event {
    case .reloaded(let file, 0):
      warning("the key set is empty: no token of its issuer is accepted", metadata: ["file": "\(file)"])
    case .reloaded(let file, let keys):
      notice("keys reloaded", metadata: ["file": "\(file)", "keys": "\(keys)"])
    case .keyIgnored(let file, let key, let reason):
      warning(
        "a key of the key set is ignored",
        metadata: ["file": "\(file)", "key": "\(key)", "reason": "\(reason)"])
    case .failed(let failure):
      error(
        "keys not reloaded: the previous ones stay in use, those of an outside issuer for at most an hour",
        metadata: ["reason": "\(failure)"])
    case .trustEnded(let failure):
      error(
        "the outside issuer is no longer trusted: its key set could not be used for an hour",
        metadata: ["reason": "\(failure)"])
    }
  }
}
