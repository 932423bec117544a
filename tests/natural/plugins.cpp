// SPDX-License-Identifier: MIT
// Objects whose functions an App calls: by signals, listeners and callbacks.
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "harness.hpp"

using errand::AsyncGenerator;
using errand::Event;
using errand::Future;
using errand::Queue;
using errand::ScopedTask;
using errand::TaskScope;
using natural::Counted;
using natural::Log;

namespace {

// A plugin that is unloaded

class Plugin : public std::enable_shared_from_this<Plugin>, Counted {
 public:
  Plugin(App& app, Log& log) : app_(app), log_(log), tasks_(app) {}
  ~Plugin() { log_("unloaded"); }
  void load() {
    app_.add_signal("file.saved.<name>", [weak = weak_from_this()](const errand::Signal& signal) -> Coro<> {
      if (const auto self = weak.lock()) co_await self->saved(signal.parameter);
    });
    tasks_.add([this]() -> Coro<> {
      for (;;) {
        const errand::Signal signal = co_await app_.event("file.opened.*");
        use();
        log_("opened", signal.parameter);
      }
    });
    tasks_.add([this]() -> Coro<> {
      for (;;) {
        co_await errand::sleep(10s);
        use();
        ++backups_;
      }
    });
  }
  int backups() const { return backups_; }

 private:
  Coro<> saved(std::string name) {
    co_await errand::sleep(1s);
    use();
    log_("saved", name);
  }

  App& app_;
  Log& log_;
  int backups_ = 0;
  TaskScope tasks_;
};

Coro<> plugin(App& app, Log& log) {
  auto loaded = std::make_shared<Plugin>(app, log);
  loaded->load();
  co_await errand::yield();
  co_await errand::yield();
  app.dispatch("file.opened.a");
  co_await app.dispatch("file.saved.a");
  co_await errand::sleep(30s);
  log(loaded->backups());
  app.dispatch("file.saved.b");
  co_await errand::sleep(500ms);
  loaded.reset();  // the handler of the signal holds the plugin until it has saved
  log("unloads");
  co_await errand::sleep(1s);
  app.dispatch("file.opened.c");
  co_await app.dispatch("file.saved.c");
}

// An object that the App owns

class Metrics : Counted {
 public:
  Metrics(App& app, Log& log) : log_(log), tasks_(app) {
    tasks_.add([this] { return publish(); });
  }
  ~Metrics() { log_("metrics end"); }
  void count(std::string name) {
    use();
    ++counts_[std::move(name)];
  }

 private:
  Coro<> publish() {
    auto interval = errand::every(10s);
    for (;;) {
      co_await interval.tick();
      use();
      for (const auto& [name, count] : counts_) log_(name, count);
    }
  }

  Log& log_;
  std::map<std::string, int> counts_;
  TaskScope tasks_;
};

Coro<> metrics(App& app, Log& log) {
  auto& own = app.ctx().emplace<Metrics>(app, log);
  app.add_task([&app]() -> Coro<> {
    for (;;) {
      app.ctx().get<Metrics>().count("background");
      co_await errand::sleep(4s);
    }
  });
  for (int i = 0; i < 3; ++i) {
    own.count("requests");
    co_await errand::sleep(5s);
  }
}

// Listeners that open and close what the tasks use

class Store : Counted {
 public:
  explicit Store(Log& log) : log_(log) {
    writer_.add([this]() -> Coro<> {
      for (;;) {
        const std::string line = co_await lines_.get();
        co_await errand::sleep(1s);
        use();
        log_("wrote", line);
        lines_.task_done();
      }
    });
  }
  void write(std::string line) { lines_.try_put(std::move(line)); }
  Coro<> drain() { co_await lines_.join(); }

 private:
  Log& log_;
  Queue<std::string> lines_;
  TaskScope writer_;
};

void open_store(App& app, Log& log) {
  app.before_server_start([&log](App& own) -> Coro<> {
    co_await errand::sleep(1s);
    own.ctx().emplace<Store>(log);
    log("opened");
  });
  app.before_server_stop([](App& own) -> Coro<> {
    if (auto* store = own.ctx().find<Store>()) co_await store->drain();
  });
  app.after_server_stop([&log] { log("closed"); });
}

Coro<> listeners(App& app, Log&) {
  auto& store = app.ctx().get<Store>();
  for (const char* line : {"a", "b", "c"}) {
    store.write(line);
    co_await errand::sleep(500ms);
  }
}

// Calls that wait for their answers

class Client : Counted {
 public:
  explicit Client(Queue<int>& wire) : wire_(wire) {
    reader_.add([this] { return read(); });
  }
  Coro<std::string> call(int id) {
    Future<std::string> answer;
    pending_.emplace(id, &answer);
    const auto body = [&]() -> Coro<std::string> { co_return co_await answer; };
    const auto cleanup = [this, id] { pending_.erase(id); };
    co_return co_await errand::finally(body, cleanup);
  }
  std::size_t pending() const { return pending_.size(); }

 private:
  Coro<> read() {
    for (;;) {
      const int id = co_await wire_.get();
      use();
      if (const auto found = pending_.find(id); found != pending_.end()) {
        found->second->set_result("answer " + std::to_string(id));
      }
    }
  }

  Queue<int>& wire_;
  std::map<int, Future<std::string>*> pending_;
  TaskScope reader_;
};

Coro<> client(App&, Log& log) {
  Queue<int> wire;
  Client calls(wire);
  TaskScope server;
  server.add([&]() -> Coro<> {
    for (int id = 1; id <= 2; ++id) {
      co_await errand::sleep(1s);
      co_await wire.put(id);
    }
  });
  auto [first, second] = co_await errand::gather(calls.call(1), calls.call(2));
  log(first, second);
  try {
    co_await errand::wait_for(calls.call(3), 5s);
  } catch (const TimeoutError& e) {
    log("timed out", calls.pending());
  }
}

// Callbacks that refer to an object

class Debounce : Counted {
 public:
  Debounce(App& app, std::function<void()> call) : app_(app), call_(std::move(call)) {}
  ~Debounce() { timer_.cancel(); }
  void trigger() {
    timer_.cancel();
    timer_ = app_.call_later(1s, [this] {
      use();
      call_();
    });
  }

 private:
  App& app_;
  std::function<void()> call_;
  errand::CallHandle timer_;
};

Coro<> debounce(App& app, Log& log) {
  Debounce save(app, [&] { log("saves at", errand::now().time_since_epoch()); });
  for (int i = 0; i < 4; ++i) {
    save.trigger();
    co_await errand::sleep(i == 1 ? 2s : 500ms);
  }
}

// Pages that a generator reads

AsyncGenerator<std::vector<int>> pages(int count) {
  const Counted token;
  for (int page = 0; page < count; ++page) {
    co_await errand::sleep(1s);
    token.use();
    co_yield std::vector<int>(3, page);
  }
}

Coro<> reader(App& app, Log& log) {
  Event enough;
  const ScopedTask timer{app.add_task([&]() -> Coro<> {
    co_await errand::sleep(3500ms);
    enough.set();
  })};
  auto all = pages(100);
  int sum = 0;
  for (;;) {
    const auto next = [&]() -> Coro<int> {
      const auto page = co_await all.next();
      co_return page->back();
    };
    const auto first = co_await errand::race(next(), enough.wait());
    if (first.index() == 1) break;
    sum += std::get<0>(first.value());
  }
  log(sum);
}

// A task that replaces another of the same name

class Search : Counted {
 public:
  Search(App& app, Log& log) : app_(app), log_(log) {}
  void type(std::string text) {
    current_ = ScopedTask<>{app_.add_task(find(std::move(text)), "search", errand::NameTaken::replace)};
  }
  Coro<> found() { co_await errand::wait_all(current_.get()); }

 private:
  Coro<> find(std::string text) {
    co_await errand::sleep(300ms);
    use();
    log_("found", text);
  }

  App& app_;
  Log& log_;
  ScopedTask<> current_;
};

Coro<> search(App& app, Log& log) {
  Search box(app, log);
  for (const char* text : {"c", "co", "coro"}) {
    box.type(text);
    co_await errand::sleep(100ms);
  }
  co_await box.found();
  log(app.get_task("search").name());
}

}  // namespace

TEST_CASE("natural: a plugin that is unloaded") {
  natural::check({.main = plugin, .log = "opened a ; saved a ; 3 ; unloads ; saved b ; unloaded"});
}
TEST_CASE("natural: an object that the App owns") {
  natural::check({.main = metrics, .log = "requests 1 ; background 3 ; requests 2"});
}
TEST_CASE("natural: listeners that open and close what the tasks use") {
  natural::check({.main = listeners, .log = "opened ; wrote a ; wrote b ; wrote c ; closed", .prepare = open_store});
}
TEST_CASE("natural: calls that wait for their answers") {
  natural::check({.main = client, .log = "answer 1 answer 2 ; timed out 0"});
}
TEST_CASE("natural: callbacks that refer to an object") { natural::check({.main = debounce, .log = "saves at 1.5"}); }
TEST_CASE("natural: pages that a generator reads") { natural::check({.main = reader, .log = "3"}); }
TEST_CASE("natural: a task that replaces another of the same name") {
  natural::check({.main = search, .log = "found coro ; search"});
}
