// SPDX-License-Identifier: MIT
// Tests of texts for people: the messages of errors, the lines on std::cerr if there is no on_failure, the table of
// tasks.

#include "real_fixture.hpp"

namespace {

template <class E, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("App::current outside every App says that none runs") {
  CHECK(message_of<InvalidState>([] { App::current(); }) == "no App runs on this thread");
}

PLAIN_TEST("a task asked for with another type, found or kept, is named in the error") {
  const auto task = app.add_task([] { return 1; }, "number");
  const auto get = [this] { app.get_task<std::string>("number"); };
  const std::string message = "the task named 'number' has a result of another type";
  CHECK(message_of<errand::TaskTypeMismatch>(get) == message);
  const auto add = [this] { app.add_task([] { return std::string(); }, "number", errand::NameTaken::keep); };
  CHECK(message_of<errand::TaskTypeMismatch>(add) == message);
  const auto kept = app.add_task([] { return 2; }, "number", errand::NameTaken::keep);
  CHECK(kept == task);
  const auto work = []() -> Coro<int> { co_return 3; };
  CHECK(app.add_task(work(), "number", errand::NameTaken::keep) == task);
  app.run();
  CHECK(kept.result() == 1);
}

PLAIN_TEST("an object that the context has not, or has already, is named by its type in the error") {
  CHECK(has(message_of<InvalidState>([this] { app.ctx().get<std::vector<int>>(); }), "the context has no object of"));
  app.ctx().emplace<int>(1);
  CHECK(has(message_of<InvalidState>([this] { app.ctx().emplace<int>(2); }), "int"));
  CHECK(app.ctx().get<int>() == 1);
}

PLAIN_TEST("failures that are no std::exception have a text too") {
  app.add_task([] { throw 42; });
  app.add_task([this]() -> Coro<> {
    app.call_soon([] { throw Cancelled("a callback's"); });
    co_await errand::yield();
  });
  app.run();
  CHECK(reports == std::vector<std::string>{"an exception that is no std::exception", "cancelled: a callback's"});
}

TEST_CASE("without on_failure a failure is one line on std::cerr, with the name and the error") {
  const support::CapturedCerr captured;
  App app("app");
  app.add_task([] { throw runtime_error("no such file"); }, "loader");
  app.run();
  CHECK(has(captured.text(), "'loader'"));
  CHECK(has(captured.text(), "no such file"));
  CHECK(captured.text().back() == '\n');
}

TEST_CASE("without on_slow_step a slow step is one line on std::cerr, with the place that it went on from") {
  const support::CapturedCerr captured;
  errand::AppConfig config;
  config.slow_step = 1ms;
  App app("app", std::move(config));
  app.add_task(
      []() -> Coro<> {
        co_await errand::yield();
        const auto end = errand::Clock::now() + 3ms;
        while (errand::Clock::now() < end) continue;
      },
      "busy");
  app.run();
  CHECK(has(captured.text(), "a step of 'busy' took "));
  CHECK(has(captured.text(), " ms from "));
  CHECK(has(captured.text(), "messages_test.cpp:"));
}

TEST_CASE("on_slow_step is given the name, how long it took, and the place") {
  std::vector<std::string> steps;
  errand::AppConfig config;
  config.slow_step = 1ms;
  config.on_slow_step = [&steps](const errand::SlowStep& step) {
    if (step.name() == "busy") steps.push_back(step.duration() >= 3ms ? step.place() : "too short");
  };
  App app("app", std::move(config));
  app.add_task(
      []() -> Coro<> {
        const auto end = errand::Clock::now() + 3ms;
        while (errand::Clock::now() < end) continue;
        co_return;
      },
      "busy");
  app.run();
  CHECK(steps == std::vector<std::string>{""});
}

APP_TEST("the table of tasks tells ages in the units of people, and where each task stands") {
  add(after<>(10h), "old");
  errand::Event event;
  const auto wait = [](errand::Event& its) -> Coro<> { co_await its.wait(); };
  co_await errand::sleep(90min);
  add(wait(event), "waits");
  co_await errand::sleep(90s);
  co_await errand::sleep(1s);
  const auto pause = []() -> Coro<> {
    co_await errand::sleep(0s);
    co_await errand::sleep(0s);
  };
  add(pause(), "yields");
  co_await errand::yield();
  add(wait(event), "new");
  std::ostringstream table;
  app.dump_tasks(table);
  const std::string text = table.str();
  CAPTURE(text);
  CHECK(has(text, "1.5 h"));
  CHECK(has(text, "1.5 min"));
  CHECK(has(text, "0 ms"));
  CHECK(has(text, "sleep at "));
  CHECK(has(text, "event at messages_test.cpp:"));
  CHECK(has(text, "yield at messages_test.cpp:"));
  CHECK(has(text, "not started"));
  CHECK(has(text, "running"));
  event.set();
}
