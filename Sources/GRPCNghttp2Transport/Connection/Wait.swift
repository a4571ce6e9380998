import Synchronization

/// Identifies one wait of a handler, so that its cancellation can find it.
final class Wait: Sendable {
  let isCancelled = Atomic(false)
}
