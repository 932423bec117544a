// SPDX-License-Identifier: MIT
// In which order tasks run.
#include <errand/errand.hpp>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

namespace {

// [begin]
errand::Coro<> say(std::string text) {
  std::cout << text << '\n';
  co_return;
}
// [begin]

errand::Coro<> begin(errand::App& app) {
  // [begin]
  app.add_task(say("3. the task begins on a later turn"));
  std::cout << "1. add_task has returned\n";
  co_await say("2. a Coro that is awaited runs at once");
  co_await errand::yield();  // to the end of the queue, behind the task
  std::cout << "4. this task goes on\n";
  // [begin]
}

// [wake]
errand::Coro<> run_race(errand::Event& start, std::string name) {
  co_await start.wait();
  std::cout << name << " runs\n";
}
// [wake]

errand::Coro<> wake(errand::App& app) {
  // [wake]
  errand::Event start;
  errand::TaskScope runners(app);
  for (const char* name : {"Ada", "Ben", "Cleo"}) runners.add(run_race(start, name));
  co_await errand::yield();  // now all of them wait
  start.set();               // runs none of them: they stand in the queue, in the order in which they began to wait
  std::cout << "go!\n";
  co_await runners.join();
  // [wake]
}

errand::Coro<> timers(errand::App& app) {
  // [timers]
  app.call_later(2s, [] { std::cout << "third: it is due later\n"; });
  app.call_later(1s, [] { std::cout << "first\n"; });
  app.call_later(1s, [] { std::cout << "second: due at the same time, but set later\n"; });
  co_await errand::sleep(2s);
  std::cout << "fourth\n";
  // [timers]
}

bool is_prime(int n) {
  for (int divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return false;
  }
  return n > 1;
}

// [share]
errand::Coro<int> count_primes(int most) {
  int count = 0;
  for (int n = 2; n < most; ++n) {
    if (n % 1000 == 0) co_await errand::yield();  // lets the others run
    if (is_prime(n)) ++count;
  }
  co_return count;
}
// [share]

errand::Coro<> share(errand::App&) {
  const int count = co_await count_primes(10'000);
  std::cout << count << " primes\n";
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  for (const auto part : {begin, wake, timers, share}) app.run(part(app));
}
