// SPDX-License-Identifier: MIT
// Tests of a class that waits, with GoogleTest. No test sleeps: the time is that of a ManualClock.
#include <gtest/gtest.h>

#include <stdexcept>

#include "client.hpp"

using namespace std::chrono_literals;

namespace {

class ClientTest : public testing::Test {
 protected:
  errand::ManualClock clock;
  std::vector<errand::TaskFailure> failures;  // of tasks that nobody awaits
  errand::App app{"test", {.clock = &clock, .on_failure = [this](const errand::TaskFailure& failure) {
                             failures.push_back(failure);
                           }}};
};

TEST_F(ClientTest, AsksAgainIfNoAnswerComes) {
  FakeServer server({10s, 1s});  // the first answer comes too late
  Client client(server.handler());
  const std::string answer = app.run(client.ask("why?"));
  ASSERT_EQ(answer, "no idea, why?");  // this function is no coroutine, so it may use ASSERT_EQ
  EXPECT_EQ(clock.now().time_since_epoch(), 2s + 1s + 1s);
}

TEST(HeldClientTest, WaitsASecondBeforeItAsksAgain) {
  errand::ManualClock clock(errand::ManualClock::held);
  FakeServer server({10s, 10s});
  Client client(server.handler());
  errand::App app("test", {.clock = &clock});  // declared last: its tasks end before what they use
  app.add_task(client.ask("why?"));
  errand::run_ready(app);
  EXPECT_EQ(server.questions(), 1u);
  clock.advance(2999ms);
  errand::run_ready(app);
  EXPECT_EQ(server.questions(), 1u);
  clock.advance(1ms);
  errand::run_ready(app);
  EXPECT_EQ(server.questions(), 2u);
}

// [googletest]
errand::Coro<> ask_in_vain() {
  FakeServer server({10s, 10s, 10s});
  Client client(server.handler());
  const auto outcome = co_await errand::settled(client.ask("why?"));
  EXPECT_TRUE(outcome.failed());
  if (!outcome.failed()) co_return;  // in place of ASSERT_TRUE
  EXPECT_EQ(server.questions(), 3u);
}

TEST_F(ClientTest, GivesUpAfterThreeAttempts) { app.run(ask_in_vain()); }
// [googletest]

TEST_F(ClientTest, IsReportedIfItGivesUpInTheBackground) {
  Client client([](std::string) -> errand::Coro<std::string> { throw std::runtime_error("refused"); });
  app.add_task(client.ask("why?"), "asking");
  app.run();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].name(), "asking");
  EXPECT_EQ(failures[0].what(), "refused");
}

}  // namespace
