import Synchronization

/// One wait of a handler, by which its cancellation finds it.
final class Wait: Sendable {
  let isCancelled = Atomic(false)
}
