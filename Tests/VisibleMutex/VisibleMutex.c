// Lets ThreadSanitizer see that a thread got a contended `Synchronization.Mutex`.
//
// An uncontended Mutex is an atomic operation in the caller, which the sanitizer sees. A contended one is handed over by
// the kernel (FUTEX_LOCK_PI) in functions of Swift's library, which is not instrumented, so that every access behind it
// would be reported as a race. Under the sanitizer these functions take the library's place: they try again until the
// mutex is free. It holds the id of the thread that has it, or 0 (swiftlang/swift,
// stdlib/public/Synchronization/Mutex/LinuxImpl.swift).

#include "VisibleMutex.h"

#if __has_feature(thread_sanitizer)

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Swift's calling convention: a method finds `self` in a register of its own (clang.llvm.org/docs/AttributeReference.html).
#define SELF __attribute__((swift_context))

typedef _Atomic(uint32_t) Handle;

__attribute__((swiftcall)) void lock_slowly(uint32_t thread, SELF Handle *mutex)
  __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
__attribute__((swiftcall)) bool try_to_lock_slowly(SELF Handle *mutex)
  __asm__("$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");

__attribute__((swiftcall)) void lock_slowly(uint32_t thread, SELF Handle *mutex) {
  uint32_t none = 0;
  while (!atomic_compare_exchange_weak_explicit(mutex, &none, thread, memory_order_acquire, memory_order_relaxed)) {
    none = 0;
    sched_yield();
  }
}

__attribute__((swiftcall)) bool try_to_lock_slowly(SELF Handle *mutex) { return false; }

#endif
