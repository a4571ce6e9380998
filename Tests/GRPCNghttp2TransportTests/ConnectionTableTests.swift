import NIOCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct ConnectionTableTests {
  /// Stands for a connection; the table identifies it by its object identity.
  private final class Peer: Sendable {
    let idleTime: IdleTime

    init(idleSince seconds: Int64) { idleTime = IdleTime(now: .at(seconds)) }

    var id: ObjectIdentifier { ObjectIdentifier(self) }
  }

  private func table(_ total: Int, network: Int? = nil, countsLocal: Bool = true) -> ConnectionTable<Peer> {
    ConnectionTable(ConnectionLimits(total: total, network: network, countsLocal: countsLocal))
  }

  private func network(_ address: String) throws -> ClientNetwork {
    ClientNetwork(try SocketAddress(ipAddress: address, port: 1))
  }

  private enum Outcome: Equatable {
    case admitted
    case replaces(ObjectIdentifier)
    case refused(ConnectionRefusal)
  }

  private func arrive(
    _ peer: Peer, _ table: inout ConnectionTable<Peer>, from address: String = "192.0.2.1",
    at seconds: Int64 = 100
  ) throws -> Outcome {
    switch table.arrived(peer.id, peer, try network(address), peer.idleTime, now: .at(seconds)) {
    case .admit: .admitted
    case .replace(let id, _): .replaces(id)
    case .refuse(let reason): .refused(reason)
    }
  }

  @Test("when the table is full, the connection that has been idle for longest is replaced")
  func longestIdle() throws {
    var table = table(3)
    let peers = [Peer(idleSince: 3), Peer(idleSince: 1), Peer(idleSince: 2)]
    for peer in peers { #expect(try arrive(peer, &table) == .admitted) }
    let more = [Peer(idleSince: 100), Peer(idleSince: 100)]
    #expect(try arrive(more[0], &table) == .replaces(peers[1].id))
    #expect(try arrive(more[1], &table) == .replaces(peers[2].id))
    #expect(table.count == 5)
    table.ended(peers[1].id)
    #expect(table.count == 4)
  }

  @Test("connections with streams stay; if all have streams, a new one is refused")
  func busy() throws {
    var table = table(2)
    let peers = [Peer(idleSince: 1), Peer(idleSince: 2)]
    for peer in peers { _ = try arrive(peer, &table) }
    peers[0].idleTime.becameBusy()
    let third = Peer(idleSince: 100)
    #expect(try arrive(third, &table) == .replaces(peers[1].id))
    third.idleTime.becameBusy()
    #expect(try arrive(Peer(idleSince: 101), &table, at: 101) == .refused(.full))
    peers[0].idleTime.becameIdle(now: .at(102))
    #expect(try arrive(Peer(idleSince: 103), &table, at: 103) == .replaces(peers[0].id))
  }

  @Test("a candidate that was used meanwhile is not replaced")
  func usedCandidate() throws {
    var table = table(3)
    let peers = [Peer(idleSince: 1), Peer(idleSince: 2), Peer(idleSince: 3)]
    for peer in peers { _ = try arrive(peer, &table) }
    #expect(try arrive(Peer(idleSince: 100), &table) == .replaces(peers[0].id))
    peers[1].idleTime.becameIdle(now: .at(101))
    #expect(try arrive(Peer(idleSince: 102), &table, at: 102) == .replaces(peers[2].id))
  }

  @Test("a connection that was to be replaced but has streams again counts")
  func stays() throws {
    var table = table(1)
    let first = Peer(idleSince: 1)
    _ = try arrive(first, &table)
    let second = Peer(idleSince: 100)
    #expect(try arrive(second, &table) == .replaces(first.id))
    first.idleTime.becameBusy()
    table.stays(first.id)
    table.ended(second.id)
    #expect(try arrive(Peer(idleSince: 101), &table, at: 101) == .refused(.full))
  }

  @Test("only a few replaced connections may be closing at a time")
  func leaving() throws {
    var table = table(32)
    for number in 0..<32 { _ = try arrive(Peer(idleSince: Int64(number)), &table) }
    for _ in 0..<16 {
      guard case .replaces = try arrive(Peer(idleSince: 100), &table) else {
        Issue.record("no connection was replaced")
        return
      }
    }
    #expect(try arrive(Peer(idleSince: 100), &table) == .refused(.full))
  }

  @Test("a network has a share, within which its own connections are replaced")
  func share() throws {
    var table = table(100, network: 2)
    let first = Peer(idleSince: 1)
    let others = [first, Peer(idleSince: 2)]
    for peer in others { #expect(try arrive(peer, &table, from: "2001:db8::1") == .admitted) }
    _ = try arrive(Peer(idleSince: 0), &table, from: "192.0.2.7")
    // An address in the same /64.
    #expect(try arrive(Peer(idleSince: 3), &table, from: "2001:db8::ffff:2") == .replaces(first.id))
    #expect(try arrive(Peer(idleSince: 3), &table, from: "2001:db8:0:1::1") == .admitted)
    for peer in others { peer.idleTime.becameBusy() }
    let busy = Peer(idleSince: 4)
    _ = try arrive(busy, &table, from: "192.0.2.8")
    let second = Peer(idleSince: 4)
    _ = try arrive(second, &table, from: "192.0.2.8")
    for peer in [busy, second] { peer.idleTime.becameBusy() }
    #expect(try arrive(Peer(idleSince: 5), &table, from: "192.0.2.8") == .refused(.networkFull))
    table.ended(busy.id)
    #expect(try arrive(Peer(idleSince: 5), &table, from: "192.0.2.8") == .admitted)
  }

  @Test("the automatic share does not limit proxies on this machine")
  func local() throws {
    var table = table(100, network: 1, countsLocal: false)
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
      for _ in 0..<3 { #expect(try arrive(Peer(idleSince: 1), &table, from: address) == .admitted) }
    }
    #expect(try arrive(Peer(idleSince: 1), &table) == .admitted)
    #expect(try arrive(Peer(idleSince: 1), &table) != .admitted)
  }

  @Test("an IPv4 address is the same in both families, and all Unix-domain sockets are one network")
  func networks() throws {
    #expect(try network("::ffff:192.0.2.1") == network("192.0.2.1"))
    #expect(try network("192.0.2.1") != network("192.0.2.2"))
    let unix = ClientNetwork(try SocketAddress(unixDomainSocketPath: "/a"))
    #expect(unix.isLocal && unix == ClientNetwork(nil))
    #expect(try unix != network("0.0.0.0"))
  }

  @Test("no connection is admitted after the start of the shutdown")
  func shutdown() throws {
    var table = table(1)
    table.shutDown()
    #expect(try arrive(Peer(idleSince: 1), &table) == .refused(.shuttingDown))
  }
}

extension NIODeadline {
  fileprivate static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .seconds(seconds) }
}
