// SPDX-License-Identifier: MIT
// A rule for all combinators: a failure that can no longer be thrown is reported.
#include <algorithm>

#include "combinators.hpp"

using errand::gather;
using errand::race;

namespace {

Coro<> fails(std::string what) {
  co_await errand::sleep(1s);
  throw runtime_error(what);
}
/// Swallows the first five requests to end.
Coro<> stays() {
  for (int i = 0; i < 5; ++i) {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
  }
}
Coro<> in_gather() { co_await gather(fails("gather"), stays()); }
Coro<> in_race() { co_await race(fails("race"), stays()); }
Coro<> in_losers() { co_await race(fails("winner"), fails("loser"), fails("another"), stays()); }
Coro<> in_finally() { co_await errand::finally(fails("finally"), stays()); }
Coro<> in_group() {
  const auto body = [](errand::TaskGroup& group) -> Coro<> {
    group.add(fails("group"));
    group.add(stays());
    co_return;
  };
  co_await errand::TaskGroup::run(body);
}
Coro<> in_all() { co_await gather(in_gather(), in_race(), in_losers(), in_finally(), in_group()); }

}  // namespace

TEST_CASE("a failure that a combinator was to throw is reported if it is destroyed before") {
  errand::ManualClock clock;
  std::vector<std::string> reports;
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [&reports](const errand::TaskFailure& failure) { reports.push_back(failure.what()); };
  std::optional<App> app(std::in_place, "app", config);
  auto task = app->add_task(in_all(), "all");
  SECTION("by an abort") {
    const auto abort = [&task]() -> Coro<> {
      co_await errand::sleep(2s);
      task.abort();
    };
    app->run(abort());
  }
  SECTION("at the end of a run, which it holds up too long") {
    app->run(support::Fixture::after(2s));
    const auto stood = [](const std::string& report) { return report.find("still standing") != std::string::npos; };
    CHECK(std::erase_if(reports, stood) == 2);
  }
  SECTION("by the end of the App") {
    app->poll();
    clock.advance(2s);
    for (int i = 0; i < 5; ++i) app->poll();
    CHECK(reports.size() == 1);
    app.reset();
  }
  std::sort(reports.begin(), reports.end());
  CHECK(reports == std::vector<std::string>{"another", "finally", "gather", "group", "loser", "race", "winner"});
}
