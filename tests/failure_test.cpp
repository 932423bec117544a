// SPDX-License-Identifier: MIT
// Tests of how failures are reported: on any thread, with any text, and if std::cerr cannot write.
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

#include "real_fixture.hpp"

using errand::TaskFailure;

namespace {

Coro<> fails() {
  throw runtime_error("refused");
  co_return;
}

/// Makes std::cerr fail at each write, and throw, while this exists.
class Broken {
 public:
  Broken() : before_(std::cerr.rdbuf(&full_)) { std::cerr.exceptions(std::ios::badbit | std::ios::failbit); }
  ~Broken() {
    std::cerr.exceptions(std::ios::goodbit);
    std::cerr.rdbuf(before_);
    std::cerr.clear();
  }
  Broken(const Broken&) = delete;

 private:
  struct Full : std::streambuf {
    int overflow(int) override { return traits_type::eof(); }
  };
  Full full_;
  std::streambuf* const before_;
};

}  // namespace

TEST_CASE("a TaskFailure may be kept and read on any thread, where it names no task") {
  std::optional<TaskFailure> kept, other;
  std::uint64_t id = 0;
  {
    App app("app", {.on_failure = [&](const TaskFailure& failure) {
              kept = failure;
              std::thread([&] { other = failure; }).join();
            }});
    id = app.add_task(fails(), "name").id();
    bool was_empty = false;
    app.before_server_stop([&] {
      std::thread([&] { was_empty = !kept->task() && !other->task(); }).join();
      CHECK(kept->task().id() == id);
      CHECK(other->task().id() == id);
    });
    app.run();
    CHECK(was_empty);
    CHECK(kept->task() == app.find_task("name"));
    std::thread([&] {
      CHECK(!kept->task());
      other.reset();
    }).join();
  }
  std::thread([&] {
    CHECK(kept->name() == "name");
    CHECK(kept->what() == "refused");
    CHECK(kept->id() == id);
    CHECK_THROWS_WITH(std::rethrow_exception(kept->exception()), "refused");
    CHECK(!kept->task());
  }).join();
}

TEST_CASE("a TaskFailure of a callback has no task and no id") {
  std::optional<TaskFailure> kept;
  App app("app", {.on_failure = [&](const TaskFailure& failure) { kept = failure; }});
  app.call_soon([] { throw runtime_error("refused"); });
  app.run();
  CHECK(kept->name() == "callback");
  CHECK(kept->id() == 0);
  CHECK_FALSE(kept->task());
}

TEST_CASE("failures that other workers keep, and drop, are no race") {
  std::vector<TaskFailure> kept;
  App app("app", {.on_failure = [&](const TaskFailure& failure) {
            if (kept.size() > 20) kept.clear();  // destroys failures of the other workers too
            kept.push_back(failure);
          }});
  app.add_task([](App& worker) -> Coro<> {
    for (int i = 0; i < 100; ++i) {
      worker.add_task(fails());
      co_await errand::yield();
    }
  });
  app.run({.workers = 3});
  CHECK_FALSE(kept.empty());
}

TEST_CASE("a failure that nobody keeps does not keep its task") {
  App app("app", {.on_failure = [](const TaskFailure&) {}});
  const auto guard = std::make_shared<int>(1);
  struct Keeps {
    std::shared_ptr<int> it;
  };
  app.add_task([guard]() -> Coro<> { co_return throw Keeps{guard}; });
  app.run();
  CHECK(guard.use_count() == 1);
}

TEST_CASE("control characters in names and texts are replaced in lines and tables, letters are not") {
  const std::string evil =
      "a\nb\x1b[2J\x7f\xc2\x9b"
      "1m\x9b\xe0\x80\x9b caf\xc3\xa9 \xe2\x82\xac \xe9";
  const std::string shown = "a b [2J  1m \xe0   caf\xc3\xa9 \xe2\x82\xac \xe9";
  CHECK(errand::detail::printable(evil) == shown);
  CHECK(errand::detail::printable("plain").size() == 5);
  CHECK(errand::detail::printable("\xc2").size() == 1);
  CHECK(errand::detail::printable("").empty());
  const support::CapturedCerr captured;
  std::ostringstream table;
  {
    errand::ManualClock clock;
    App app(evil, {.clock = &clock});
    app.add_task([&]() -> Coro<> { co_return throw runtime_error("text " + evil); }, "name " + evil);
    app.add_task([&]() -> Coro<> { co_await errand::sleep(1s); }, "sleeper " + evil);
    app.call_soon([&] { app.dump_tasks(table); });
    app.run();
  }
  CHECK(captured.text() == "errand: 'name " + shown + "' failed: text " + shown + "\n");
  CHECK(table.str().find("sleeper " + shown) != std::string::npos);
}

TEST_CASE("a std::cerr that throws changes nothing") {
  const Broken broken;
  bool went_on = false;
  {
    App app("app", {.on_failure = [](const TaskFailure&) { throw runtime_error("no"); }});
    app.add_task(fails());
    app.run();
  }
  App app("app", {.slow_step = 1ns});
  app.call_soon([] { throw runtime_error("refused"); });
  app.add_task(fails());
  app.call_soon([&] { went_on = true; });
  app.run();
  CHECK(went_on);
}
