// SPDX-License-Identifier: MIT
// Tests of a class that waits, with Catch2. No test sleeps: the time is that of a ManualClock.
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp>  // version 2
#endif

#include <stdexcept>

#include "client.hpp"

using namespace std::chrono_literals;

namespace {

// [fixture]
struct Fixture {
  explicit Fixture(errand::ManualClock::Mode mode = errand::ManualClock::jumping) : clock(mode) {}

  errand::ManualClock clock;
  std::vector<errand::TaskFailure> failures;  // of tasks that nobody awaits
  errand::App app{"test", {.clock = &clock, .on_failure = [this](const errand::TaskFailure& failure) {
                             failures.push_back(failure);
                           }}};
};
// [fixture]

// [jumping]
TEST_CASE("a client asks again if no answer comes") {
  Fixture test;
  FakeServer server({10s, 1s});  // the first answer comes too late
  Client client(server.handler());
  CHECK(test.app.run(client.ask("why?")) == "no idea, why?");
  CHECK(test.clock.now().time_since_epoch() == 2s + 1s + 1s);  // exactly, and at once
}
// [jumping]

// [timeout]
TEST_CASE("an answer that takes longer than 2 s is given up") {
  Fixture test;
  FakeServer server({10s});
  CHECK_THROWS_AS(test.app.run(errand::wait_for(server.answer("why?"), 2s)), errand::TimeoutError);
  CHECK(test.clock.now().time_since_epoch() == 2s);
}

TEST_CASE("a client waits 1 s before the second attempt, and 2 s before the third") {
  Fixture test;
  std::vector<errand::Clock::duration> attempts;
  Client client([&](std::string) -> errand::Coro<std::string> {
    attempts.push_back(test.clock.now().time_since_epoch());
    throw std::runtime_error("refused");
  });
  CHECK_THROWS_AS(test.app.run(client.ask("why?")), std::runtime_error);
  CHECK(attempts == std::vector<errand::Clock::duration>{0s, 1s, 3s});
}
// [timeout]

// [held]
TEST_CASE("a client waits a second before it asks again") {
  Fixture test(errand::ManualClock::held);
  FakeServer server({10s, 10s});
  Client client(server.handler());
  errand::ScopedTask asking{test.app.add_task(client.ask("why?"))};
  errand::run_ready(test.app);
  CHECK(server.questions() == 1);
  test.clock.advance(2999ms);
  errand::run_ready(test.app);
  CHECK(server.questions() == 1);
  test.clock.advance(1ms);
  errand::run_ready(test.app);
  CHECK(server.questions() == 2);
}
// [held]

// [body]
errand::Coro<> ask_in_vain() {
  FakeServer server({10s, 10s, 10s});
  Client client(server.handler());
  const auto outcome = co_await errand::settled(client.ask("why?"));  // not inside the REQUIRE
  REQUIRE(outcome.failed());
  CHECK(server.questions() == 3);
}

TEST_CASE("a client gives up after three attempts") { Fixture().app.run(ask_in_vain()); }
// [body]

// [failures]
TEST_CASE("a client that gives up in the background is reported") {
  Fixture test;
  Client client([](std::string) -> errand::Coro<std::string> { throw std::runtime_error("refused"); });
  test.app.add_task(client.ask("why?"), "asking");
  test.app.run();
  REQUIRE(test.failures.size() == 1);
  CHECK(test.failures[0].name() == "asking");
  CHECK(test.failures[0].what() == "refused");
}
// [failures]

}  // namespace
