import NIOCore

/// The limits on the number of connections.
struct ConnectionLimits: Sendable {
  /// The most connections in total.
  let total: Int
  /// The most connections of one network; nil for no limit.
  let network: Int?
  /// Whether `network` also limits connections from this machine, such as those of a proxy.
  let countsLocal: Bool

  /// The most replaced connections that may be closing at once.
  var leaving: Int { Self.leaving(total: total) }

  /// Returns ``leaving`` for `total` connections.
  static func leaving(total: Int) -> Int { max(16, total / 16) }
}

/// The reason why a connection is refused.
enum ConnectionRefusal: Hashable, Sendable {
  /// The total limit is reached, and all connections have streams.
  case full
  /// The limit of the network is reached, and all its connections have streams.
  case networkFull
  case shuttingDown
}

/// Decides which connections are open at once, without I/O or clocks.
///
/// A connection beyond a limit replaces the one that has been without streams for longest, in total or in its
/// network. It is refused if all of those have streams.
struct ConnectionTable<Connection: Sendable>: Sendable {
  /// The decision about a new connection.
  enum Decision: Sendable {
    case admit
    /// The connection is admitted, and this other one must end.
    case replace(ObjectIdentifier, Connection)
    case refuse(ConnectionRefusal)
  }

  private struct Place: Sendable {
    let connection: Connection
    let network: ClientNetwork
    let idleTime: IdleTime
    var isLeaving = false
  }

  /// The connections that were idle for longest at the last search, the longest last.
  private struct Candidates: Sendable {
    var ids: [(id: ObjectIdentifier, start: NIODeadline)] = []
    /// The earliest time of the next search after one that found no idle connection.
    var retryAt = NIODeadline.uptimeNanoseconds(0)
  }

  /// The number of candidates that one search finds, so that a flood of connections does not cause a search for each.
  private static var batch: Int { 64 }
  private static var pause: TimeAmount { .milliseconds(50) }

  private let limits: ConnectionLimits
  private var places: [ObjectIdentifier: Place] = [:]
  private var networkCounts: [ClientNetwork: Int] = [:]
  private var leavingCount = 0
  /// The candidates of each network; nil for those of all networks.
  private var candidates: [ClientNetwork?: Candidates] = [:]
  private(set) var isShuttingDown = false

  init(_ limits: ConnectionLimits) {
    self.limits = limits
  }

  /// The number of connections, including replaced ones that are closing.
  var count: Int { places.count }

  var connections: [Connection] { places.values.map(\.connection) }

  /// Refuses all later connections.
  mutating func shutDown() { isShuttingDown = true }

  /// Decides about a new connection.
  mutating func arrived(
    _ id: ObjectIdentifier, _ connection: Connection, _ network: ClientNetwork, _ idleTime: IdleTime,
    now: NIODeadline
  ) -> Decision {
    guard !isShuttingDown else { return .refuse(.shuttingDown) }
    var decision = Decision.admit
    let hasShare = limits.network != nil && (limits.countsLocal || !network.isLocal)
    if hasShare, let share = limits.network, networkCounts[network, default: 0] >= share {
      guard let other = longestIdle(of: network, now: now) else { return .refuse(.networkFull) }
      decision = .replace(other.id, other.connection)
    } else if places.count - leavingCount >= limits.total {
      guard let other = longestIdle(of: nil, now: now) else { return .refuse(.full) }
      decision = .replace(other.id, other.connection)
    }
    if case .replace(let other, _) = decision { leaves(other) }
    places[id] = Place(connection: connection, network: network, idleTime: idleTime)
    networkCounts[network, default: 0] += 1
    return decision
  }

  private mutating func leaves(_ id: ObjectIdentifier) {
    guard let network = places[id]?.network else { return }
    places[id]?.isLeaving = true
    leavingCount += 1
    forget(network)
  }

  /// Restores a connection that was to be replaced but has streams again.
  mutating func stays(_ id: ObjectIdentifier) {
    guard let place = places[id], place.isLeaving else { return }
    places[id]?.isLeaving = false
    leavingCount -= 1
    networkCounts[place.network, default: 0] += 1
  }

  /// Removes a connection that has ended.
  mutating func ended(_ id: ObjectIdentifier) {
    guard let place = places.removeValue(forKey: id) else { return }
    if place.isLeaving { leavingCount -= 1 } else { forget(place.network) }
    if places.isEmpty { candidates = [:] }
  }

  private mutating func forget(_ network: ClientNetwork) {
    let count = networkCounts[network, default: 1] - 1
    networkCounts[network] = count > 0 ? count : nil
    if count == 0 { candidates[network] = nil }
  }

  private mutating func longestIdle(
    of network: ClientNetwork?, now: NIODeadline
  ) -> (id: ObjectIdentifier, connection: Connection)? {
    guard leavingCount < limits.leaving else { return nil }
    var found = candidates[network] ?? Candidates()
    defer { candidates[network] = found }
    if let next = popCandidate(&found) { return next }
    guard now >= found.retryAt else { return nil }
    found.ids = idlest(of: network)
    let next = popCandidate(&found)
    if next == nil { found.retryAt = now + Self.pause }
    return next
  }

  private func popCandidate(
    _ found: inout Candidates
  ) -> (id: ObjectIdentifier, connection: Connection)? {
    while let last = found.ids.popLast() {
      // A candidate that was used since the search is not idle for longest any more.
      guard let place = places[last.id], !place.isLeaving, place.idleTime.start == last.start else {
        continue
      }
      return (last.id, place.connection)
    }
    return nil
  }

  private func idlest(of network: ClientNetwork?) -> [(id: ObjectIdentifier, start: NIODeadline)] {
    var idle: [(id: ObjectIdentifier, start: NIODeadline)] = []
    for (id, place) in places where !place.isLeaving {
      if let network, place.network != network { continue }
      if let start = place.idleTime.start { idle.append((id, start)) }
    }
    idle.sort { $0.start > $1.start }
    return idle.suffix(Self.batch)
  }
}
