/// The cost of a call that needs no token, in hundredths of the calls that `peer.rate` and `peer.burst` count.
///
/// Costs are roughly proportional to the call's processor and disk time, rounded up. Calls that honest clients make
/// often are cheap enough to stay within the limit.
enum CallCost: Int, Sendable {
  /// Cheaper than refusing the call: health checks, which load balancers make every second.
  case nothing = 0
  /// A response from memory.
  case little = 10
  /// A signature, or a durable write that replaces an earlier one.
  case medium = 25
  /// A password hash, or a new row.
  case full = 100
}
