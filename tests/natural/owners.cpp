// SPDX-License-Identifier: MIT
// Objects that are destroyed at an awkward moment: by their own task, by a callback, or together with their owner.
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "harness.hpp"

using errand::Event;
using errand::Lock;
using errand::Queue;
using errand::ScopedTask;
using errand::TaskGroup;
using errand::TaskScope;
using natural::Counted;
using natural::Log;

namespace {

// An object and its task that hold each other

class Player : public std::enable_shared_from_this<Player>, Counted {
 public:
  explicit Player(Log& log) : log_(log) {}
  ~Player() { log_("player ends"); }
  void play(int seconds) {
    tasks_.add([self = shared_from_this(), seconds]() -> Coro<> {
      for (int i = 0; i < seconds; ++i) {
        co_await errand::sleep(1s);
        self->use();
        ++self->played_;
      }
      self->log_("played", self->played_);
    });
  }
  using Counted::use;

 private:
  Log& log_;
  int played_ = 0;
  TaskScope tasks_;
};

Coro<> player(App& app, Log& log) {
  {
    const auto music = std::make_shared<Player>(log);
    music->play(1);
    music->play(2);
    const auto endless = std::make_shared<Player>(log);
    endless->play(1'000'000);
    app.call_later(2s, [endless] { endless->use(); });
  }
  co_await errand::sleep(3s);
  log("main ends");
}

// An object that replaces itself

class Settings : Counted {
 public:
  Settings(std::unique_ptr<Settings>& place, int version, Log& log) : place_(place), version_(version), log_(log) {
    reloader_.add([this] { return reload(); });
  }

 private:
  Coro<> reload() {
    co_await errand::sleep(1s);
    use();
    log_("version", version_, "is replaced");
    auto next = std::make_unique<Settings>(place_, version_ + 1, log_);
    place_ = std::move(next);
  }

  std::unique_ptr<Settings>& place_;
  const int version_;
  Log& log_;
  TaskScope reloader_;
};

Coro<> settings(App&, Log& log) {
  std::unique_ptr<Settings> current;
  current = std::make_unique<Settings>(current, 1, log);
  co_await errand::sleep(2500ms);
}

// A task that resets what holds it

class Alarm : Counted {
 public:
  explicit Alarm(App& app) : app_(app) {}
  void set(std::chrono::nanoseconds delay, std::function<void()> ring) {
    ringing_ = ScopedTask<>{app_.add_task(wait(delay, std::move(ring)))};
  }
  bool is_set() const { return bool(ringing_.get()); }

 private:
  Coro<> wait(std::chrono::nanoseconds delay, std::function<void()> ring) {
    co_await errand::sleep(delay);
    use();
    ringing_ = {};
    ring();
  }

  App& app_;
  ScopedTask<> ringing_;
};

Coro<> alarm(App& app, Log& log) {
  Alarm clock(app);
  clock.set(1s, [&] {
    log("first");
    clock.set(1s, [&] { log("second"); });
  });
  co_await errand::sleep(1500ms);
  log(clock.is_set());
  co_await errand::sleep(1s);
  log(clock.is_set());
}

// Windows that a signal, a callback and a member of a group close

class Window : Counted {
 public:
  using Windows = std::vector<std::unique_ptr<Window>>;

  Window(std::string name, Log& log) : name_(std::move(name)), log_(log) {
    tasks_.add([this]() -> Coro<> {
      for (;; co_await errand::sleep(1s)) use();
    });
    tasks_.add([this]() -> Coro<> {
      const auto blink = [this]() -> Coro<> {
        for (;; co_await errand::sleep(500ms)) use();
      };
      co_await errand::gather(blink(), blink());
    });
  }
  ~Window() { log_(name_, "closed"); }
  static void close_last(Windows& windows) {
    if (!windows.empty()) windows.pop_back();
  }

 private:
  const std::string name_;
  Log& log_;
  TaskScope tasks_;
};

Coro<> windows(App& app, Log& log) {
  auto all = std::make_shared<Window::Windows>();
  for (const char* name : {"a", "b", "c"}) all->push_back(std::make_unique<Window>(name, log));
  app.add_signal("window.last.close", [all] { Window::close_last(*all); });
  app.call_later(1s, [all] { Window::close_last(*all); });
  co_await errand::sleep(2s);
  co_await app.dispatch("window.last.close");
  const auto body = [&](TaskGroup& group) -> Coro<> {
    group.add([&]() -> Coro<> {
      co_await errand::sleep(1s);
      Window::close_last(*all);
    });
    co_return;
  };
  co_await TaskGroup::run(body);
  log(all->size());
}

// A task that closes its object from inside

class Door : Counted {
 public:
  explicit Door(Log& log) : log_(log) {
    tasks_.add([this]() -> Coro<> {
      co_await errand::sleep(1s);
      try {
        co_await close();
      } catch (const InvalidState& e) {
        use();
        log_("refused");
      }
    });
    tasks_.add([this]() -> Coro<> {
      co_await errand::sleep(1h);
      use();
    });
  }
  Coro<> close() { co_await tasks_.close("closed"); }

 private:
  Log& log_;
  TaskScope tasks_;
};

Coro<> door(App&, Log& log) {
  Door front(log);
  co_await errand::sleep(2s);
  co_await front.close();
  log("closed");
}

// Objects whose tasks wait for each other

class Node : Counted {
 public:
  explicit Node(int id) : id_(id) {}
  void follow(Node& other) {
    tasks_.add([this, &other]() -> Coro<> {
      for (;;) {
        const int value = co_await other.out_.get();
        use();
        co_await errand::sleep(100ms);
        co_await out_.put(value + id_);
      }
    });
  }
  void put(int value) { out_.try_put(value); }
  Coro<int> get() { co_return co_await out_.get(); }

 private:
  const int id_;
  Queue<int> out_{1};
  TaskScope tasks_;
};

Coro<> ring(App&, Log& log) {
  Node a(1), b(10);
  b.follow(a);
  a.follow(b);
  a.put(100);
  co_await errand::sleep(450ms);
  const int value = co_await errand::wait_for(a.get(), 1s);
  log(value);
}

// Main throws while a thread uses its locals

Coro<> early_thread(App& app, Log& log) {
  std::vector<int> data(100, 1);
  const Counted token;
  const auto sum = [&] {
    std::this_thread::sleep_for(500us);
    token.use();
    for (int& each : data) ++each;
  };
  TaskScope tasks;
  tasks.add([&]() -> Coro<> {
    const Counted local;
    for (;;) co_await errand::to_thread(sum);
  });
  const ScopedTask other{app.add_task([&]() -> Coro<> {
    co_await errand::to_thread(sum);
    co_await errand::sleep(1h);
  })};
  co_await errand::yield();
  co_await errand::yield();
  log("throws");
  throw runtime_error("no more data");
}

// Guards that go with their tasks

Coro<> guards(App& app, Log& log) {
  Lock lock;
  Event done;
  const Counted token;
  TaskScope readers(app);
  for (int i = 1; i <= 3; ++i) {
    readers.add([&, i]() -> Coro<> {
      const auto guard = co_await lock.acquire();
      co_await errand::sleep(1s);
      token.use();
      if (i == 3) done.set();
    });
  }
  auto hog = app.add_task([&]() -> Coro<> {
    const auto guard = co_await lock.acquire();
    co_await errand::sleep(1h);
  });
  const ScopedTask ends{hog};
  co_await done.wait();
  co_await errand::sleep(1s);
  log(lock.locked());
  hog.abort();
  log(lock.locked());
}

// An object that starts tasks as it goes

class Journal : Counted {
 public:
  Journal(App& app, Log& log) : app_(app), log_(log) {
    tasks_.add([this]() -> Coro<> {
      const Closing closing{*this};
      co_await errand::sleep(1h);
    });
  }

 private:
  struct Closing {
    Journal& journal;
    ~Closing() {
      journal.use();
      try {
        journal.tasks_.add([&own = journal]() -> Coro<> {
          own.use();
          co_return;
        });
      } catch (const InvalidState&) {  // the scope is closed
        journal.log_("too late");
      }
      journal.app_.add_task([&log = journal.log_]() -> Coro<> {
        co_await errand::sleep(1s);
        log("farewell");
      });
    }
  };

  App& app_;
  Log& log_;
  TaskScope tasks_;
};

Coro<> journal(App& app, Log& log) {
  {
    const Journal diary(app, log);
    co_await errand::sleep(1s);
  }
  co_await errand::sleep(2s);
}

}  // namespace

TEST_CASE("natural: an object and its task that hold each other") {
  natural::check({.main = player, .log = "played 1 ; played 3 ; player ends ; main ends ; player ends"});
}
TEST_CASE("natural: an object that replaces itself") {
  natural::check({.main = settings, .log = "version 1 is replaced ; version 2 is replaced"});
}
TEST_CASE("natural: a task that resets what holds it") {
  natural::check({.main = alarm, .log = "first ; true ; second ; false"});
}
TEST_CASE("natural: windows that a signal, a callback and a group close") {
  natural::check({.main = windows, .log = "c closed ; b closed ; a closed ; 0"});
}
TEST_CASE("natural: a task that closes its object from inside") {
  natural::check({.main = door, .log = "refused ; closed"});
}
TEST_CASE("natural: objects whose tasks wait for each other") { natural::check({.main = ring, .log = "133"}); }
TEST_CASE("natural: main throws while a thread uses its locals") {
  natural::check({.main = early_thread, .log = "throws", .error = "no more data", .has_threads = true});
}
TEST_CASE("natural: guards that go with their tasks") { natural::check({.main = guards, .log = "true ; false"}); }
TEST_CASE("natural: an object that starts tasks as it goes") {
  natural::check({.main = journal, .log = "too late ; farewell"});
}
