// SPDX-License-Identifier: MIT
// Programs whose tasks work together.
#include <algorithm>
#include <functional>
#include <memory>

#include "harness.hpp"

using errand::every;
using errand::Lock;
using errand::Queue;
using errand::Semaphore;
using errand::TaskGroup;
using errand::TaskScope;
using natural::Counted;
using natural::Log;

namespace {

// A group whose members use locals

Coro<> group(App&, Log& log) {
  const Counted token;
  std::vector<int> squares(4);
  const auto body = [&](TaskGroup& tasks) -> Coro<> {
    for (int i = 0; i < 4; ++i) {
      tasks.add([&, i]() -> Coro<> {
        co_await errand::sleep(1s * i);
        token.use();
        squares[static_cast<std::size_t>(i)] = i * i;
      });
    }
    co_return;
  };
  co_await TaskGroup::run(body);
  log(squares[1] + squares[2] + squares[3]);
}

// A group that ends with its first result

Coro<std::string> ask(std::string mirror, std::chrono::nanoseconds delay) {
  const Counted token;
  co_await errand::sleep(delay);
  token.use();
  co_return "from " + mirror;
}

Coro<> first_result(App&, Log& log) {
  std::string answer;
  const auto body = [&](TaskGroup& tasks) -> Coro<> {
    const auto ask_and_end = [&](std::string mirror, std::chrono::nanoseconds delay) -> Coro<> {
      answer = co_await ask(std::move(mirror), delay);
      tasks.cancel("there is an answer");
    };
    tasks.add(ask_and_end("far", 3s));
    tasks.add(ask_and_end("near", 1s));
    tasks.add(ask_and_end("down", 1h));
    co_await errand::sleep(2h);
  };
  co_await TaskGroup::run(body);
  log(answer, errand::now().time_since_epoch());
}

// A group that fails

Coro<> failing_group(App&, Log& log) {
  int cleaned = 0;
  const auto body = [&](TaskGroup& tasks) -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      tasks.add([&]() -> Coro<> {
        const auto wait = [] { return errand::App::current().event("no.such.event"); };
        const auto work = [&]() -> Coro<> { co_await wait(); };
        const auto cleanup = [&]() -> Coro<> {
          co_await errand::sleep(1s);
          ++cleaned;
        };
        co_await errand::finally(work, cleanup);
      });
    }
    co_await errand::sleep(1s);
    throw runtime_error("out of paper");
  };
  try {
    co_await TaskGroup::run(body);
  } catch (const runtime_error& e) {
    log(e, cleaned);
  }
}

// A supervisor that starts its children again

class Supervisor : Counted {
 public:
  using Child = std::function<Coro<>(int attempt)>;

  explicit Supervisor(Log& log) : log_(log) {}
  void add(std::string name, Child child) {
    children_.push_back(std::move(child));
    const std::size_t index = children_.size() - 1;
    tasks_.add([this, name, index] { return run(name, index); });
  }
  Coro<> join() { co_await tasks_.join(); }

 private:
  Coro<> run(std::string name, std::size_t index) {
    for (int attempt = 1; attempt <= 3; ++attempt) {
      try {
        co_await children_[index](attempt);
        co_return;
      } catch (const runtime_error& e) {
        use();
        log_(name, e);
      }
      co_await errand::sleep(1s * attempt);
    }
    log_(name, "is given up");
  }

  Log& log_;
  std::vector<Child> children_;
  TaskScope tasks_;
};

Coro<> supervisor(App&, Log& log) {
  Counted token;
  Supervisor children(log);
  children.add("a", [&](int attempt) -> Coro<> {
    co_await errand::sleep(1s);
    token.use();
    if (attempt < 2) throw runtime_error("fails");
  });
  children.add("b", [&](int) -> Coro<> {
    co_await errand::sleep(2500ms);
    token.use();
    throw runtime_error("fails");
  });
  co_await children.join();
}

// A pool of workers on a queue

class Pool : Counted {
 public:
  using Work = std::function<Coro<>()>;

  explicit Pool(int workers) : jobs_(4) {
    for (int i = 0; i < workers; ++i) workers_.add([this] { return work(); });
  }
  Coro<> submit(Work job) { co_await jobs_.put(std::move(job)); }
  Coro<> drain() { co_await jobs_.join(); }

 private:
  Coro<> work() {
    for (;;) {
      const Work job = co_await jobs_.get();
      use();
      const auto done = [this] { jobs_.task_done(); };
      co_await errand::finally(job, done);
    }
  }

  Queue<Work> jobs_;
  TaskScope workers_;
};

Coro<> pool(App&, Log& log) {
  int sum = 0;
  const Counted token;
  Pool workers(3);
  for (int i = 1; i <= 8; ++i) {
    Pool::Work job = [&, i]() -> Coro<> {
      co_await errand::sleep(100ms * i);
      token.use();
      sum += i;
    };
    co_await workers.submit(std::move(job));
  }
  co_await workers.drain();
  log(sum);
}

// A publisher and its subscribers

class Publisher : Counted {
 public:
  using Inbox = Queue<std::string>;

  void subscribe(Inbox& inbox) { inboxes_.push_back(&inbox); }
  void unsubscribe(Inbox& inbox) { std::erase(inboxes_, &inbox); }
  Coro<> publish(std::string news) {
    const auto all = inboxes_;
    for (Inbox* inbox : all) {
      if (std::count(inboxes_.begin(), inboxes_.end(), inbox)) co_await inbox->put(news);
    }
    use();
  }

 private:
  std::vector<Inbox*> inboxes_;
};

class Subscriber : Counted {
 public:
  Subscriber(Publisher& publisher, std::string name, std::chrono::nanoseconds delay, Log& log)
      : publisher_(publisher), name_(std::move(name)), delay_(delay), log_(log) {
    publisher_.subscribe(inbox_);
    tasks_.add([this] { return read(); });
  }
  ~Subscriber() { publisher_.unsubscribe(inbox_); }

 private:
  Coro<> read() {
    for (;;) {
      const std::string news = co_await inbox_.get();
      use();
      log_(name_, news);
      co_await errand::sleep(delay_);
    }
  }

  Publisher& publisher_;
  const std::string name_;
  const std::chrono::nanoseconds delay_;
  Log& log_;
  Publisher::Inbox inbox_{1};
  TaskScope tasks_;
};

Coro<> publisher(App&, Log& log) {
  Publisher paper;
  const Subscriber slow(paper, "slow", 3s, log);
  {
    const Subscriber fast(paper, "fast", 1s, log);
    co_await paper.publish("monday");
    co_await paper.publish("tuesday");
    co_await paper.publish("wednesday");
  }
  co_await paper.publish("thursday");
}

// A rate limiter

class Limiter : Counted {
 public:
  Limiter(std::size_t burst, std::chrono::nanoseconds period) : tokens_(burst) {
    refill_.add([this, period] { return refill(period); });
  }
  Coro<> acquire() {
    auto permit = std::make_shared<Semaphore::Permit>(co_await tokens_.acquire());
    used_.push_back(std::move(permit));
  }

 private:
  Coro<> refill(std::chrono::nanoseconds period) {
    auto interval = every(period);
    for (;;) {
      co_await interval.tick();
      use();
      if (!used_.empty()) used_.erase(used_.begin());
    }
  }

  Semaphore tokens_;
  std::vector<std::shared_ptr<Semaphore::Permit>> used_;  // given back by the refill
  TaskScope refill_;
};

Coro<> limiter(App&, Log& log) {
  Limiter limit(2, 1s);
  std::vector<Coro<>> requests;
  const auto request = [&](int id) -> Coro<> {
    co_await limit.acquire();
    log(id, errand::now().time_since_epoch());
  };
  for (int i = 1; i <= 5; ++i) requests.push_back(request(i));
  co_await errand::gather(std::move(requests));
}

// Accounts under locks

class Account : Counted {
 public:
  explicit Account(int balance) : balance_(balance) {}
  Coro<> transfer(Account& to, int amount) {
    const auto guard = co_await lock_.acquire();
    if (balance_ < amount) throw runtime_error("no cover");
    co_await errand::sleep(100ms);  // asks the bank
    use();
    to.use();
    balance_ -= amount;
    to.balance_ += amount;
  }
  int balance() const { return balance_; }

 private:
  int balance_;
  Lock lock_;
};

Coro<> accounts(App& app, Log& log) {
  Account a(100), b(100);
  TaskScope transfers(app);
  transfers.add(a.transfer(b, 60));
  transfers.add(b.transfer(a, 50));
  const auto refused = transfers.add(a.transfer(b, 95));
  try {
    co_await refused;
  } catch (const runtime_error& e) {
    log(e);
  }
  co_await transfers.join();
  log(a.balance(), b.balance());
}

}  // namespace

TEST_CASE("natural: a group whose members use locals") { natural::check({.main = group, .log = "14"}); }
TEST_CASE("natural: a group that ends with its first result") {
  natural::check({.main = first_result, .log = "from near 1"});
}
TEST_CASE("natural: a group that fails") {
  natural::check({.main = failing_group, .log = "out of paper 2", .lost = {"out of paper"}});
}
TEST_CASE("natural: a supervisor that starts its children again") {
  natural::check({.main = supervisor, .log = "a fails ; b fails ; b fails ; b fails ; b is given up"});
}
TEST_CASE("natural: a pool of workers on a queue") { natural::check({.main = pool, .log = "36"}); }
TEST_CASE("natural: a publisher and its subscribers") {
  natural::check(
      {.main = publisher, .log = "slow monday ; fast monday ; fast tuesday ; slow tuesday ; slow wednesday"});
}
TEST_CASE("natural: a rate limiter") { natural::check({.main = limiter, .log = "1 0 ; 2 0 ; 3 0 ; 4 1 ; 5 2"}); }
TEST_CASE("natural: accounts under locks") {
  natural::check({.main = accounts, .log = "no cover ; 90 110", .lost = {"no cover"}});
}
