// SPDX-License-Identifier: MIT
// Waits at random before operations on memory that threads share. ThreadSanitizer turns every atomic operation of the
// program into a call, also in the inlined headers, and to lock a mutex is a call anyway. The linker's --wrap replaces
// these calls by the functions below, so nothing has to be built into the headers. This file is compiled without the
// sanitizer. run.sh lists the functions that are wrapped.
#include <pthread.h>
#include <sched.h>

#include <cstdint>
#include <ctime>

namespace {

std::uint64_t seed = 1;
std::uint64_t threads = 0;
unsigned long waits = 0;
thread_local std::uint64_t random_state = 0;

/// Mostly does not wait. Sometimes waits for a few turns of a loop, and now and then so long that other threads finish
/// all their work.
void wait_maybe() noexcept {
  std::uint64_t& random = random_state;
  if (random == 0) {
    random = (__atomic_load_n(&seed, __ATOMIC_RELAXED) + __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED)) *
                 0x9E3779B97F4A7C15u |
             1;
  }
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  const auto dice = static_cast<unsigned>(random >> 40) % 64;
  if (dice < 40) return;
  __atomic_add_fetch(&waits, 1, __ATOMIC_RELAXED);
  if (dice < 58) {
    for (auto turns = static_cast<unsigned>(random >> 20) % 512; turns > 0; --turns)
      __atomic_signal_fence(__ATOMIC_SEQ_CST);
  } else if (dice < 63 || random % 16 > 0) {
    sched_yield();
  } else {
    const timespec pause{0, static_cast<long>((random >> 20) % 200'000)};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace

unsigned long delays_taken() { return __atomic_load_n(&waits, __ATOMIC_RELAXED); }
void seed_delays(std::uint64_t from) { __atomic_store_n(&seed, from, __ATOMIC_RELAXED); }

#define WRAP(RESULT, NAME, PARAMETERS, ARGUMENTS) \
  RESULT __real_##NAME PARAMETERS;                \
  RESULT __wrap_##NAME PARAMETERS {               \
    wait_maybe();                                 \
    return __real_##NAME ARGUMENTS;               \
  }
#define WRAP_ATOMICS(BITS)                                                                                             \
  WRAP(std::uint##BITS##_t, __tsan_atomic##BITS##_load, (const volatile void* at, int order), (at, order))             \
  WRAP(void, __tsan_atomic##BITS##_store, (volatile void* at, std::uint##BITS##_t value, int order),                   \
       (at, value, order))                                                                                             \
  WRAP(std::uint##BITS##_t, __tsan_atomic##BITS##_exchange, (volatile void* at, std::uint##BITS##_t value, int order), \
       (at, value, order))                                                                                             \
  WRAP(std::uint##BITS##_t, __tsan_atomic##BITS##_fetch_add,                                                           \
       (volatile void* at, std::uint##BITS##_t value, int order), (at, value, order))                                  \
  WRAP(std::uint##BITS##_t, __tsan_atomic##BITS##_fetch_sub,                                                           \
       (volatile void* at, std::uint##BITS##_t value, int order), (at, value, order))

extern "C" {
WRAP(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
WRAP(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))
WRAP_ATOMICS(8)
WRAP_ATOMICS(32)
WRAP_ATOMICS(64)
}
