import Foundation
import Synchronization

/// Numbers the threads of the process, so that busy threads can each have data of their own: processors that write the
/// same cache line wait for each other.
public enum ThreadNumber {
  private static let next = Atomic(1)
  private static let key = {
    var key = pthread_key_t()
    // EAGAIN: the process has used up its 1,024 keys; then all threads have number 0.
    return pthread_key_create(&key, nil) == 0 ? key : nil
  }()

  /// The calling thread's number, from 1, in the order in which threads first ask. It never changes.
  public static var current: Int {
    guard let key else { return 0 }
    if let known = pthread_getspecific(key) { return Int(bitPattern: known) }
    let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
    // ENOMEM: the thread gets another number next time, and loses the data under this one.
    pthread_setspecific(key, UnsafeRawPointer(bitPattern: number))
    return number
  }
}
