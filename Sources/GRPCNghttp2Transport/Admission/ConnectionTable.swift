import NIOCore

/// How many connections there may be.
struct ConnectionLimits: Sendable {
  /// Of all networks.
  let total: Int
  /// Of one network; nil for no share.
  let network: Int?
  /// Whether the share holds for connections from this machine too, such as those of a proxy.
  let countsLocal: Bool

  /// Connections that may still be on their way out while others have their places.
  var leaving: Int { Self.leaving(total: total) }

  /// As ``leaving``, of `total` connections.
  static func leaving(total: Int) -> Int { max(16, total / 16) }
}

/// Why a connection is refused.
enum ConnectionRefusal: Hashable, Sendable {
  /// As many connections as there may be, all with streams.
  case full
  /// As many connections of this network as there may be, all with streams.
  case networkFull
  case shuttingDown
}

/// Decides which connections are open at once. A value without I/O or clocks.
///
/// A connection beyond the limit, or beyond the share of its network, takes the place of the one that has been without
/// streams for longest, of all or of its network. It is refused if every one of those has streams.
struct ConnectionTable<Connection: Sendable>: Sendable {
  /// What becomes of a new connection.
  enum Decision: Sendable {
    case admit
    /// It is admitted, and the other one is to end.
    case replace(ObjectIdentifier, Connection)
    case refuse(ConnectionRefusal)
  }

  private struct Place: Sendable {
    let connection: Connection
    let network: ClientNetwork
    let idleTime: IdleTime
    var isLeaving = false
  }

  /// The connections that have been idle for longest when they were last looked for, the longest last.
  private struct Candidates: Sendable {
    var ids: [(id: ObjectIdentifier, start: NIODeadline)] = []
    /// When looking again may help, if none was idle.
    var retryAt = NIODeadline.uptimeNanoseconds(0)
  }

  /// How many candidates are looked for at once, so that a flood of connections does not go through all for each.
  private static var batch: Int { 64 }
  private static var pause: TimeAmount { .milliseconds(50) }

  private let limits: ConnectionLimits
  private var places: [ObjectIdentifier: Place] = [:]
  private var networkCounts: [ClientNetwork: Int] = [:]
  private var leavingCount = 0
  /// By network; nil for all.
  private var candidates: [ClientNetwork?: Candidates] = [:]
  private(set) var isShuttingDown = false

  init(_ limits: ConnectionLimits) {
    self.limits = limits
  }

  /// Open connections, with those on their way out.
  var count: Int { places.count }

  var connections: [Connection] { places.values.map(\.connection) }

  /// Refuses connections from now on.
  mutating func shutDown() { isShuttingDown = true }

  /// A connection has come.
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

  /// A connection that was to make room has streams by now, and stays.
  mutating func stays(_ id: ObjectIdentifier) {
    guard let place = places[id], place.isLeaving else { return }
    places[id]?.isLeaving = false
    leavingCount -= 1
    networkCounts[place.network, default: 0] += 1
  }

  /// A connection has ended.
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
      // One that was used since then is no longer the one that has been idle for longest.
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
