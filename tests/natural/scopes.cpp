// SPDX-License-Identifier: MIT
// Functions with tasks that use their local variables.
#include <algorithm>
#include <memory>
#include <optional>

#include "harness.hpp"

using errand::Event;
using errand::ScopedTask;
using errand::TaskScope;
using natural::Counted;
using natural::Log;

namespace {

// A scope in a function

Coro<int> count_words(std::vector<std::string> lines) {
  const Counted token;
  int words = 0;
  TaskScope tasks;
  for (const std::string& text : lines) {
    tasks.add([&]() -> Coro<> {
      co_await errand::sleep(1ms * text.size());
      token.use();
      words += static_cast<int>(std::count(text.begin(), text.end(), ' ')) + 1;
    });
  }
  co_await tasks.join();
  co_return words;
}

std::vector<std::string> texts() { return {"one", "two words", "three words here"}; }

Coro<> function(App&, Log& log) {
  const int words = co_await count_words(texts());
  log(words);
  try {
    co_await errand::wait_for(count_words(texts()), 5ms);
  } catch (const TimeoutError&) {
    log("timed out");
  }
}

// A task around a local

class Spinner : Counted {
 public:
  Coro<> turn() {
    for (;;) {
      co_await errand::sleep(100ms);
      use();
      ++turns_;
    }
  }
  int turns() const { return turns_; }

 private:
  int turns_ = 0;
};

Coro<> spinner(App& app, Log& log) {
  Spinner wheel;
  {
    const ScopedTask turning{app.add_task([&] { return wheel.turn(); })};
    co_await errand::sleep(450ms);
  }
  co_await errand::sleep(1s);
  log(wheel.turns());
  ScopedTask<> again;
  for (int i = 0; i < 3; ++i) {
    again = ScopedTask<>{app.add_task(wheel.turn())};
    co_await errand::sleep(150ms);
  }
  const bool was_cancelled = co_await again.close("enough");
  log(wheel.turns(), was_cancelled);
}

// A scope that is closed, whose tasks wait in their clean-up

class Database : Counted {
 public:
  explicit Database(Log& log) : log_(log) {
    for (int i = 1; i <= 2; ++i) {
      tasks_.add([this, i] { return flush(i); });
    }
  }
  Coro<> close() {
    co_await tasks_.close("the database is closed");
    use();
    log_("closed");
  }

 private:
  Coro<> flush(int table) {
    const auto body = [&]() -> Coro<> {
      for (;;) {
        co_await errand::sleep(1s);
        use();
      }
    };
    const auto cleanup = [&]() -> Coro<> {
      co_await errand::sleep(1s * table);
      use();
      log_("flushed", table);
    };
    co_await errand::finally(body, cleanup);
  }

  Log& log_;
  TaskScope tasks_;
};

Coro<> closing(App&, Log& log) {
  Database db(log);
  co_await errand::sleep(1500ms);
  co_await db.close();
  co_await db.close();
}

// Main throws while tasks use its locals

Coro<> early(App& app, Log& log) {
  std::vector<std::string> lines;
  const Counted token;
  Event has_lines;
  TaskScope tasks;
  tasks.add([&]() -> Coro<> {
    for (;;) {
      co_await errand::sleep(1s);
      token.use();
      lines.push_back("line");
      has_lines.set();
    }
  });
  const ScopedTask watcher{app.add_task([&]() -> Coro<> {
    for (;;) {
      co_await has_lines.wait();
      has_lines.clear();
      token.use();
      log(lines.size());
    }
  })};
  co_await errand::sleep(2500ms);
  throw runtime_error("no more paper");
}

// A test fixture

class ServerTest : Counted {
 public:
  ServerTest(App& app, Log& log) : log_(log), scope_(app) {
    scope_.add([this] { return serve(); });
  }

 protected:
  Coro<int> ask(int question) {
    question_ = question;
    asked_.set();
    co_await answered_.wait();
    answered_.clear();
    use();
    co_return answer_;
  }
  void expect(bool is_right, const char* what) {
    if (!is_right) throw runtime_error(what);
    log_("ok", what);
  }

 private:
  Coro<> serve() {
    for (;;) {
      co_await asked_.wait();
      asked_.clear();
      co_await errand::sleep(1s);
      use();
      answer_ = 2 * question_;
      answered_.set();
    }
  }

  Log& log_;
  int question_ = 0, answer_ = 0;
  Event asked_, answered_;
  TaskScope scope_;
};

struct Doubles : ServerTest {
  using ServerTest::ServerTest;
  Coro<> body() {
    const int four = co_await ask(2);
    expect(four == 4, "doubles");
  }
};
struct Triples : ServerTest {
  using ServerTest::ServerTest;
  Coro<> body() {
    const int answer = co_await ask(2);
    expect(answer == 6, "triples");
    co_await ask(3);
  }
};

template <class Test>
Coro<> run_test(App& app, Log& log) {
  try {
    Test test(app, log);
    co_await errand::wait_for(test.body(), 10s);
  } catch (const runtime_error& e) {
    log("failed", e);
  }
}

Coro<> fixture(App& app, Log& log) {
  co_await run_test<Doubles>(app, log);
  co_await run_test<Triples>(app, log);
}

// A task that fails while its scope runs on

Coro<> failing(App&, Log& log) {
  std::string state = "new";
  const Counted token;
  TaskScope tasks;
  tasks.add([&]() -> Coro<> {
    co_await errand::sleep(1s);
    token.use();
    state = "broken";
    throw runtime_error("no connection");
  });
  tasks.add([&]() -> Coro<> {
    co_await errand::sleep(2s);
    token.use();
    state += " and repaired";
  });
  co_await tasks.join();
  log(state);
}

}  // namespace

TEST_CASE("natural: a scope in a function") { natural::check({.main = function, .log = "6 ; timed out"}); }
TEST_CASE("natural: a task around a local") { natural::check({.main = spinner, .log = "4 ; 7 true"}); }
TEST_CASE("natural: a scope that is closed, whose tasks wait in their clean-up") {
  natural::check({.main = closing, .log = "flushed 1 ; flushed 2 ; closed ; closed"});
}
TEST_CASE("natural: main throws while tasks use its locals") {
  natural::check({.main = early, .log = "1 ; 2", .error = "no more paper"});
}
TEST_CASE("natural: a test fixture") { natural::check({.main = fixture, .log = "ok doubles ; failed triples"}); }
TEST_CASE("natural: a task that fails while its scope runs on") {
  natural::check({.main = failing, .log = "broken and repaired", .reports = {"no connection"}});
}
