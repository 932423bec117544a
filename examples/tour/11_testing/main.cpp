// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <functional>
#include <iostream>
#include <vector>

using namespace std::chrono_literals;

// What is tested: asks a station every hour, and keeps its answer if it comes within five seconds.
errand::Coro<> watch(std::function<errand::Coro<int>()> ask, std::vector<int>& readings) {
  auto interval = errand::every(1h);
  while (true) {
    co_await interval.tick();
    if (const auto degrees = co_await errand::move_on_after(ask(), 5s)) readings.push_back(*degrees);
  }
}

errand::Coro<int> fake_answer(std::chrono::seconds delay) {
  co_await errand::sleep(delay);
  co_return 17;
}

int failures = 0;
void check(bool is_right, const char* what) {
  std::cout << (is_right ? "ok: " : "FAILED: ") << what << '\n';
  if (!is_right) ++failures;
}

void test_a_day() {
  errand::ManualClock clock;  // jumps to the next deadline whenever all tasks wait
  errand::App app("test", {.clock = &clock});
  std::vector<int> readings;
  app.run(errand::move_on_after(watch([] { return fake_answer(2s); }, readings), 24h));
  check(readings.size() == 24, "a day has 24 readings");
  check(clock.now().time_since_epoch() == 24h, "exactly a day has passed");
}

void test_a_slow_station() {
  errand::ManualClock clock(errand::ManualClock::held);  // moves only when it is told to
  errand::App app("test", {.clock = &clock});
  std::vector<int> readings;
  std::chrono::seconds delay = 6s;
  errand::ScopedTask watching{app.add_task(watch([&] { return fake_answer(delay); }, readings))};
  errand::run_ready(app);  // the station is asked
  clock.advance(59min);
  errand::run_ready(app);
  check(readings.empty(), "an answer after six seconds is too late");
  delay = 4s;
  clock.advance(1min + 4s);
  errand::run_ready(app);
  check(readings.size() == 1, "the next one comes in time");
}

int main() {
  test_a_day();
  test_a_slow_station();
  return failures == 0 ? 0 : 1;
}
// [program]
