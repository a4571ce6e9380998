import CLibpq
import Foundation
import Glibc
import Synchronization

/// Tells when sockets are ready that a C library reads and writes itself.
///
/// SwiftNIO's event loops watch only descriptors that they read and write, so one thread waits for all sockets of libpq
/// (epoll(7)) and hands each event to the event loop of its connection, which makes every call of libpq. A socket is
/// reported once, and then not until it is armed again.
final class SocketWatch: Sendable {
  /// The watch of this process. Its thread ends with the process.
  static let shared = SocketWatch()

  /// What a socket is awaited for.
  struct Interest: OptionSet, Sendable {
    let rawValue: UInt32

    /// Bytes to read, or the end of the connection.
    static let read = Interest(rawValue: EPOLLIN.rawValue)
    /// Room to write.
    static let write = Interest(rawValue: EPOLLOUT.rawValue)
  }

  /// A watched socket.
  struct Registration: Sendable {
    fileprivate let socket: Int32
    fileprivate let key: UInt64
  }

  private struct State {
    var handlers: [UInt64: @Sendable () -> Void] = [:]
    var nextKey: UInt64 = 0
  }

  private let epoll: Int32
  private let state = Mutex(State())

  private init() {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    // Only a process that may open no more files fails here, as it would at its first connection.
    precondition(epoll >= 0, "epoll_create1: \(String(cString: strerror(errno)))")
    let thread = Thread { [self] in wait() }
    thread.name = "postgres-sockets"
    thread.start()
  }

  /// Watches `socket`, which is armed for reading. `ready` is called on the watch's thread and must not block.
  ///
  /// It is watched by a second descriptor: libpq closes its own when the connection ends, and the number might be that of
  /// another socket before this one is removed.
  func add(_ socket: Int32, ready: @escaping @Sendable () -> Void) -> Registration {
    let socket = fcntl(socket, F_DUPFD_CLOEXEC, 0)
    let key = state.withLock { state in
      state.nextKey += 1
      state.handlers[state.nextKey] = ready
      return state.nextKey
    }
    let registration = Registration(socket: socket, key: key)
    control(EPOLL_CTL_ADD, registration, .read)
    return registration
  }

  /// Reports the socket once more, when it is ready for any of `interest`.
  func arm(_ registration: Registration, for interest: Interest) {
    control(EPOLL_CTL_MOD, registration, interest)
  }

  /// Forgets the socket. An event that was already noticed may still be reported.
  func remove(_ registration: Registration) {
    control(EPOLL_CTL_DEL, registration, [])
    close(registration.socket)
    state.withLock { $0.handlers[registration.key] = nil }
  }

  private func control(_ operation: Int32, _ registration: Registration, _ interest: Interest) {
    var event = epoll_event()
    event.events = interest.rawValue | EPOLLONESHOT.rawValue
    event.data.u64 = registration.key
    // Fails only without a descriptor, because the process may open no more, or for lack of memory: then the time limit of
    // answers ends the connection.
    _ = epoll_ctl(epoll, operation, registration.socket, &event)
  }

  private func wait() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while true {
      let count = epoll_wait(epoll, &events, Int32(events.count), -1)
      // EINTR: a signal.
      guard count > 0 else { continue }
      for event in events[..<Int(count)] {
        let key = event.data.u64
        state.withLock { $0.handlers[key] }?()
      }
    }
  }
}
