import Foundation
import GRPCNghttp2Transport

/// The limit of open descriptors of the process (RLIMIT_NOFILE, getrlimit(2)).
enum DescriptorLimit {
  /// Descriptors kept for uses other than connections: the database, the log, listeners, event loops, metrics and
  /// reloaded files.
  static let reserve = 160

  /// Raises the soft limit to the hard one, which needs no privilege, and returns the resulting limit.
  static func raise() -> Int {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    // Fails only for invalid arguments, and these are valid.
    guard getrlimit(resource, &limit) == 0 else { return .max }
    if limit.rlim_cur < limit.rlim_max {
      var raised = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
      // "Unlimited" fails when it exceeds the kernel's maximum (fs.nr_open); the current limit then stays.
      if setrlimit(resource, &raised) == 0 { limit = raised }
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// Returns how many of the `wanted` connections fit under `limit` descriptors, at least one.
  static func connections(wanted: Int, limit: Int) -> Int {
    // At least half is for connections, even if the reserve leaves less.
    let room = max(limit - reserve, limit / 2)
    if Nghttp2ServerTransport.Configuration.descriptors(forConnections: wanted) <= room { return wanted }
    var (low, high) = (1, max(min(wanted, room), 1))
    while low < high {
      let middle = (low + high + 1) / 2
      if Nghttp2ServerTransport.Configuration.descriptors(forConnections: middle) <= room {
        low = middle
      } else {
        high = middle - 1
      }
    }
    return low
  }
}
