// SPDX-License-Identifier: MIT
// Counts exactly how often the library allocates. Built with ERRAND_KEEP_BLOCKS=0, so that each block is an allocation.
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <new>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

std::size_t allocations = 0;
bool failed = false;

void expect(const char* what, std::size_t expected, std::size_t before) {
  const std::size_t counted = allocations - before;
  if (counted == expected) return;
  std::fprintf(stderr, "%s: %zu allocations, expected %zu\n", what, counted, expected);
  failed = true;
}

Coro<int> work(int n) { co_return n; }
Coro<> hour() { co_await errand::sleep(1h); }

Coro<> scenario(errand::App& app) {
  std::size_t before = allocations;
  auto task = app.add_task(work(1));
  expect("add_task of an unnamed coroutine", 2, before);

  before = allocations;
  co_await task;
  expect("awaiting a task", 0, before);

  before = allocations;
  co_await work(2);
  expect("awaiting a Coro", 1, before);

  before = allocations;
  co_await errand::yield();
  expect("yield", 0, before);

  before = allocations;
  co_await errand::sleep(1s);
  expect("sleep", 0, before);

  errand::Event event;
  auto setter = app.call_soon([&event] { event.set(); });
  before = allocations;
  co_await event.wait();
  expect("the wait for an Event, and its set", 0, before);

  errand::Lock lock;
  before = allocations;
  {
    auto guard = co_await lock.acquire();
  }
  expect("the first acquire of a Lock", 1, before);  // what its guards share with it, because they may outlive it
  before = allocations;
  {
    auto guard = co_await lock.acquire();
  }
  expect("a Lock", 0, before);

  errand::TaskLocal<int> local;
  local.set(1);
  before = allocations;
  auto with_local = app.add_task(work(1));
  expect("add_task in a task that has a TaskLocal", 8, before);
  co_await with_local;

  auto sleeper = app.add_task(hour());
  co_await errand::yield();
  before = allocations;
  sleeper.cancel();
  expect("cancel", 0, before);
  co_await errand::wait_all(sleeper);

  sleeper = app.add_task(hour());
  co_await errand::yield();
  before = allocations;
  sleeper.abort();
  expect("abort", 0, before);

  before = allocations;
  auto callback = app.call_later(1h, [] {});
  expect("call_later", 1, before);
  callback.cancel();
}

}  // namespace

// These operators are not inlined, because GCC warns of a mismatch of new and delete if it inlines parts of them.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* block = std::malloc(size > 0 ? size : 1)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

int main() {
  errand::ManualClock clock;
  errand::App app("allocations", {.clock = &clock});
  app.run(scenario(app));
  if (!failed) std::puts("allocations: as promised");
  return failed ? 1 : 0;
}
