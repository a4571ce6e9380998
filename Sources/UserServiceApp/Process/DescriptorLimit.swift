import Foundation
import GRPCNghttp2Transport

/// The limit of descriptors that the process may have open (RLIMIT_NOFILE, getrlimit(2)).
enum DescriptorLimit {
  /// Descriptors that are not for connections: the database, the log, listeners, event loops, metrics and files that are
  /// read again.
  static let reserve = 160

  /// Raises the soft limit to the hard one, which needs no privilege, and returns what it is then.
  static func raise() -> Int {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    // It fails for arguments that are wrong, and these are not.
    guard getrlimit(resource, &limit) == 0 else { return .max }
    if limit.rlim_cur < limit.rlim_max {
      var raised = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
      // Without a limit the kernel's own is the greatest (fs.nr_open), which cannot be exceeded: keep what there is.
      if setrlimit(resource, &raised) == 0 { limit = raised }
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// As many of `wanted` connections as fit under `limit` descriptors, at least one.
  static func connections(wanted: Int, limit: Int) -> Int {
    // Half is for connections where the reserve would leave less.
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
