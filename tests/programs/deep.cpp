// SPDX-License-Identifier: MIT
// Checks that deep nesting takes no stack: nested awaits, their cancellation, abort and destruction, and awaits that do
// not suspend.
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <vector>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

constexpr int levels = 1'000'000;

void check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

Coro<long> depth(long n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await depth(n - 1);
}

struct Counted {
  explicit Counted(long& its_alive) : alive(its_alive) { ++alive; }
  ~Counted() { --alive; }
  Counted(const Counted&) = delete;
  long& alive;
};

Coro<> hang(int n, long& alive) {
  const Counted counted(alive);
  if (n == 0) {
    co_await errand::sleep(1h);
  } else {
    co_await hang(n - 1, alive);
  }
}

Coro<> limited(int n) {
  if (n == 0) {
    co_await errand::sleep(1h);
  } else {
    co_await errand::wait_for(limited(n - 1), 2h);
  }
}

Coro<int> one() { co_return 1; }

Coro<> scenario(errand::App& app, long& alive) {
  check(co_await depth(levels) == levels, "a chain of a million");

  auto cancelled = app.add_task(hang(levels, alive));
  co_await errand::yield();
  check(alive == levels + 1, "a million suspended");
  cancelled.cancel();
  co_await errand::wait_all(cancelled);
  check(cancelled.cancelled() && alive == 0, "its cancellation");

  auto aborted = app.add_task(hang(levels, alive));
  co_await errand::yield();
  aborted.abort();
  check(alive == 0, "its abort");

  auto nested = app.add_task(limited(levels / 10));
  co_await errand::yield();
  nested.cancel();
  co_await errand::wait_all(nested);
  check(nested.cancelled(), "the cancellation of nested time-outs");
  nested = app.add_task(limited(levels / 10));
  co_await errand::yield();
  nested.abort();

  std::vector<Coro<>> many;
  for (int i = 0; i < levels / 10; ++i) many.push_back(hang(1, alive));
  auto gathered = app.add_task(errand::gather(std::move(many)));
  co_await errand::yield();
  check(alive == levels / 5, "a gather of 100,000");
  gathered.cancel();
  co_await errand::wait_all(gathered);
  check(alive == 0, "its cancellation");

  long sum = 0;
  for (long i = 0; i < 10L * levels; ++i) sum += co_await one();
  check(sum == 10L * levels, "ten million awaits that do not suspend");
}

}  // namespace

int main() {
  errand::ManualClock clock;
  long alive = 0;
  {
    errand::App app("deep", {.clock = &clock});
    app.run(scenario(app, alive));
    app.add_task(hang(levels, alive));
    app.add_task(limited(levels / 10));
    app.poll();
    app.poll();
    check(alive == levels + 1, "suspended when the App goes");
  }
  check(alive == 0, "destroyed with the App");
  std::puts("deep: all well");
}
