/// What a call costs, for the limit of those that need no token: hundredths of the calls that `peer.rate` and
/// `peer.burst` count.
///
/// They are about in proportion to the time that a call takes of a processor and of the disk, rounded up. What honest
/// clients do often is cheap enough for the limit not to be in their way.
enum CallCost: Int, Sendable {
  /// Less than a refusal would: health checks, which load balancers make by the second.
  case nothing = 0
  /// An answer from memory.
  case little = 10
  /// A signature, or a durable write that replaces another.
  case medium = 25
  /// The hash of a password, or a row that stays.
  case full = 100
}
