import Foundation
import Synchronization

/// Numbers the threads of the process, so that those that are busy at the same time can each have something
/// of their own: what two processors write in turn, each waits for.
public enum ThreadNumber {
  private static let next = Atomic(1)
  private static let key = {
    var key = pthread_key_t()
    // EAGAIN: the process has used up its keys (1,024 of them); then all threads have number 0.
    return pthread_key_create(&key, nil) == 0 ? key : nil
  }()

  /// The calling thread's number, the same whenever it asks. From 1, in the order in which threads first ask.
  public static var current: Int {
    guard let key else { return 0 }
    if let known = pthread_getspecific(key) { return Int(bitPattern: known) }
    let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
    // ENOMEM: the thread has another number next time, which costs it what it had under this one.
    pthread_setspecific(key, UnsafeRawPointer(bitPattern: number))
    return number
  }
}
