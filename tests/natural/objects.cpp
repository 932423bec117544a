// SPDX-License-Identifier: MIT
// Objects with tasks that use them.
#include <deque>
#include <map>
#include <memory>

#include "harness.hpp"

using errand::every;
using errand::Queue;
using errand::TaskScope;
using errand::wait_for;
using natural::Counted;
using natural::Log;

namespace {

// A class with tasks

class Sensor : Counted {
 public:
  Sensor(App& app, Log& log) : log_(log), tasks_(app) {
    tasks_.add([this] { return poll(); });
    tasks_.add([this]() -> Coro<> {
      co_await errand::sleep(2500ms);
      log_("calibrated after", readings_);
    });
  }
  int readings() const { return readings_; }

 private:
  Coro<> poll() {
    auto interval = every(1s);
    for (;;) {
      co_await interval.tick();
      use();
      ++readings_;
    }
  }

  Log& log_;
  int readings_ = 0;
  TaskScope tasks_;
};

Coro<> sensor(App& app, Log& log) {
  Sensor kitchen(app, log);
  {
    Sensor garden(app, log);
    co_await errand::sleep(1500ms);
    log("garden", garden.readings());
  }
  co_await errand::sleep(3s);
  log("kitchen", kitchen.readings());
}

// A connection with a reader, a writer, and a time-out when it is idle

class Connection : Counted {
 public:
  Connection(Queue<std::string>& wire, Log& log) : wire_(wire), log_(log) {
    tasks_.add([this] { return read(); });
    tasks_.add([this] { return write(); });
  }
  void send(std::string text) { outgoing_.try_put(std::move(text)); }
  Coro<> closed() { co_await tasks_.join(); }

 private:
  Coro<> read() {
    try {
      for (;;) {
        const std::string line = co_await wait_for(wire_.get(), 5s);
        use();
        log_("received", line);
        send("echo " + line);
      }
    } catch (const TimeoutError&) {
      log_("idle");
    }
    outgoing_.close();
  }
  Coro<> write() {
    try {
      for (;;) {
        const std::string text = co_await outgoing_.get();
        co_await errand::sleep(100ms);
        use();
        log_("sent", text);
      }
    } catch (const errand::QueueClosed&) {
    }
  }

  Queue<std::string>& wire_;
  Log& log_;
  Queue<std::string> outgoing_;
  TaskScope tasks_;
};

Coro<> connection(App&, Log& log) {
  Queue<std::string> wire;
  Connection peer(wire, log);
  peer.send("hello");
  co_await errand::sleep(1s);
  co_await wire.put("one");
  co_await errand::sleep(4s);
  co_await wire.put("two");
  co_await peer.closed();
  log("closed");
}

// A cache with a clean-up task

class Cache : Counted {
 public:
  explicit Cache(Log& log) : log_(log) {
    cleaner_.add([this] { return clean(); }, "cache cleaner");
  }
  Coro<std::string> get(std::string key) {
    if (const auto found = entries_.find(key); found != entries_.end()) co_return found->second.value;
    co_await errand::sleep(1s);  // asks the database
    use();
    entries_[key] = {"value of " + key, errand::now() + 10s};
    co_return entries_[key].value;
  }

 private:
  struct Entry : Counted {
    Entry() = default;
    Entry(std::string its_value, errand::Clock::time_point its_end) : value(std::move(its_value)), end(its_end) {}
    std::string value;
    errand::Clock::time_point end;
  };

  Coro<> clean() {
    auto interval = every(3s);
    for (;;) {
      co_await interval.tick();
      use();
      const auto gone = std::erase_if(entries_, [](const auto& entry) { return entry.second.end <= errand::now(); });
      if (gone) log_("forgets", gone);
    }
  }

  Log& log_;
  std::map<std::string, Entry> entries_;
  TaskScope cleaner_;
};

Coro<> cache(App&, Log& log) {
  Cache names(log);
  const auto [a, b] = co_await errand::gather(names.get("a"), names.get("b"));
  log(a, b);
  co_await errand::sleep(6s);
  const std::string again = co_await names.get("a");
  log(again);
  co_await errand::sleep(10s);
}

// A session whose last shared_ptr is dropped by its own task

class Session : public std::enable_shared_from_this<Session>, Counted {
 public:
  using Sessions = std::map<int, std::shared_ptr<Session>>;

  Session(Sessions& sessions, int id, Log& log) : sessions_(sessions), id_(id), log_(log) {}
  ~Session() { log_("session", id_, "ends"); }
  /// Starts a task that owns the session.
  void start_shared(App& app) {
    app.add_task([self = shared_from_this()] { return self->serve(); });
  }
  /// Starts a task that the session owns.
  void start_owned() {
    tasks_.add([this] { return serve(); });
  }

 private:
  Coro<> serve() {
    co_await errand::sleep(1s * id_);
    use();
    log_("session", id_, "is over");
    sessions_.erase(id_);
  }

  Sessions& sessions_;
  const int id_;
  Log& log_;
  TaskScope tasks_;
};

class Sessions : Counted {
 public:
  void open(int id, Log& log) {
    const auto session = std::make_shared<Session>(all_, id, log);
    all_[id] = session;
    session->start_owned();
  }
  bool empty() const { return all_.empty(); }

 private:
  Session::Sessions all_;
};

Coro<> session(App&, Log& log) {
  Sessions sessions;
  for (int id = 1; id <= 3; ++id) sessions.open(id, log);
  co_await errand::sleep(2500ms);
  log("server stops");
}

Coro<> shared_session(App& app, Log& log) {
  auto& sessions = app.ctx().emplace<Session::Sessions>();  // the context outlives the tasks
  for (int id = 1; id <= 3; ++id) {
    sessions[id] = std::make_shared<Session>(sessions, id, log);
    sessions[id]->start_shared(app);
  }
  co_await errand::sleep(2500ms);
  log(sessions.size(), "left");
}

// Objects with scopes inside objects with scopes

class Lamp : Counted {
 public:
  explicit Lamp(int& switched) : switched_(switched) {
    tasks_.add([this]() -> Coro<> {
      for (;; co_await errand::sleep(1s)) {
        use();
        ++switched_;
      }
    });
  }

 private:
  int& switched_;
  TaskScope tasks_;
};

class Room : Counted {
 public:
  Room() {
    tasks_.add([this]() -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        lamps_.push_back(std::make_unique<Lamp>(switched_));
        co_await errand::sleep(1s);
      }
      lamps_.pop_back();
      co_await errand::sleep(1h);
    });
  }
  int switched() const { return switched_; }

 private:
  int switched_ = 0;
  std::vector<std::unique_ptr<Lamp>> lamps_;
  TaskScope tasks_;
};

Coro<> house(App&, Log& log) {
  std::deque<Room> rooms(2);
  co_await errand::sleep(1500ms);
  rooms.pop_front();
  co_await errand::sleep(3s);
  log(rooms.front().switched());
}

// An object that a unique_ptr moves from owner to owner

class Job : Counted {
 public:
  explicit Job(std::string name) : name_(std::move(name)) {
    tasks_.add([this]() -> Coro<> {
      for (int i = 0; i < 4; ++i) {
        co_await errand::sleep(1s);
        use();
        ++done_;
      }
    });
  }
  std::string state() const { return name_ + " " + std::to_string(done_); }
  Coro<> finished() { co_await tasks_.join(); }

 private:
  std::string name_;
  int done_ = 0;
  TaskScope tasks_;
};

Coro<> finish(std::unique_ptr<Job> job, Log& log) {
  co_await job->finished();
  log("finished", job->state());
}

Coro<> owners(App& app, Log& log) {
  Queue<std::unique_ptr<Job>> jobs(1);
  const auto worker = app.add_task([&jobs, &log]() -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      auto job = co_await jobs.get();
      log("takes", job->state());
      co_await finish(std::move(job), log);
    }
  });
  const errand::ScopedTask guard{worker};
  auto first = std::make_unique<Job>("first");
  co_await errand::sleep(1500ms);
  co_await jobs.put(std::move(first));
  co_await jobs.put(std::make_unique<Job>("second"));
  co_await jobs.put(std::make_unique<Job>("third"));
  co_await worker;
}

}  // namespace

TEST_CASE("natural: a class whose tasks use it") {
  natural::check({.main = sensor, .log = "garden 2 ; calibrated after 3 ; kitchen 5"});
}
TEST_CASE("natural: a connection with a reader, a writer, and a time-out when it is idle") {
  natural::check({.main = connection,
                  .log = "sent hello ; received one ; sent echo one ; received two ; sent echo two ; idle ; closed"});
}
TEST_CASE("natural: a cache with a clean-up task") {
  natural::check({.main = cache, .log = "value of a value of b ; value of a ; forgets 2"});
}
TEST_CASE("natural: a session that its own task drops, and that holds the task") {
  natural::check(
      {.main = session,
       .log =
           "session 1 is over ; session 1 ends ; session 2 is over ; session 2 ends ; server stops ; session 3 ends"});
}
TEST_CASE("natural: a session that its own task drops, and that the task holds") {
  natural::check({.main = shared_session,
                  .log = "session 1 is over ; session 1 ends ; session 2 is over ; session 2 ends ; 1 left"});
}
TEST_CASE("natural: objects with scopes inside objects with scopes") { natural::check({.main = house, .log = "10"}); }
TEST_CASE("natural: an object that is moved from owner to owner") {
  natural::check({.main = owners, .log = "takes first 1 ; finished first 4 ; takes second 2 ; finished second 4"});
}
