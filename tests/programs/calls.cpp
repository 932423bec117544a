// SPDX-License-Identifier: MIT
// Thread calls that use objects in their caller's frame, and that are cancelled, aborted, timed out and torn down at
// random moments. Usage: calls [CALLS [SEED]]. The program is made for ThreadSanitizer, which reports if a frame is
// destroyed while a thread uses it. Each round also counts the objects that were made, used and destroyed.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using errand::App;
using errand::AsyncGenerator;
using errand::Coro;
using errand::Task;

namespace {

unsigned long long seed = 1;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "FAILED calls: %s, seed %llu\n", what, seed);
  std::abort();
}
void expect(bool holds, const char* what) {
  if (!holds) fail(what);
}

class Random {
 public:
  explicit Random(unsigned long long from) : random_(from) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  std::chrono::microseconds time(unsigned most) { return std::chrono::microseconds(below(most)); }

 private:
  std::mt19937_64 random_;
};

/// An object in a frame, which a thread uses without a lock.
class Data {
 public:
  explicit Data(int& alive) : alive_(alive) { ++alive_; }
  Data(const Data&) = delete;
  ~Data() {
    --alive_;
    text_ = "gone";
    number_ = -1;
  }
  void use() {
    expect(number_ >= 0, "a thread uses what is gone");
    ++number_;
    text_ += 'x';
  }

 private:
  int& alive_;
  int number_ = 0;
  std::string text_ = std::string(30, 'x');
};

class Round {
 public:
  explicit Round(Random& random) : random_(random) {}
  /// Runs the round. Returns the number of calls that were made.
  int run();

 private:
  Coro<> call();
  Coro<> abandon();
  Coro<> calls(unsigned depth);
  Coro<> work() {
    co_await calls(0);
    if (random_.below(4) == 0) co_await calls(0);
  }
  Coro<> disturb(App& app);
  AsyncGenerator<int> generate(unsigned depth) {
    Data data(alive_);
    for (int i = 0; i < 2; ++i) {
      co_await calls(depth);
      co_yield i;
    }
    data.use();
  }

  Random& random_;
  int alive_ = 0;
  std::atomic<int> made_ = 0;
  std::atomic<int> running_ = 0;
  std::vector<Task<>> tasks_;
  std::vector<std::unique_ptr<AsyncGenerator<int>>> generators_;
};

Coro<> Round::call() {
  Data data(alive_);
  const std::chrono::microseconds takes = random_.time(200);
  const bool heeds_token = random_.below(2) == 0;
  const bool fails = random_.below(8) == 0;
  const auto f = [&](std::stop_token token) {
    ++made_, ++running_;
    const auto end = std::chrono::steady_clock::now() + takes;
    do {
      data.use();
      std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < end && !(heeds_token && token.stop_requested()));
    data.use();
    --running_;
    if (fails) throw std::runtime_error("a call fails");
  };
  co_await errand::to_thread(f);
  data.use();
}

Coro<> Round::abandon() {
  Data data(alive_);
  const auto own = std::make_shared<std::string>(30, 'x');
  const auto f = [own, takes = random_.time(100), this](std::stop_token token) {
    ++made_, ++running_;
    const auto end = std::chrono::steady_clock::now() + takes;
    while (std::chrono::steady_clock::now() < end && !token.stop_requested()) std::this_thread::yield();
    --running_;
    return own->size();
  };
  expect(co_await errand::to_thread(errand::abandon, f) == 30, "a wrong result");
  data.use();
}

Coro<> Round::calls(unsigned depth) {
  Data data(alive_);
  const unsigned deeper = depth + 1;
  switch (random_.below(depth > 2 ? 3 : 10)) {
    case 0: co_await abandon(); break;
    case 1:
    case 2: co_await call(); break;
    case 3: co_await errand::gather(calls(deeper), errand::sleep(random_.time(300)), calls(deeper)); break;
    case 4: co_await errand::race(calls(deeper), errand::sleep(random_.time(300)), calls(deeper)); break;
    case 5: {
      const auto body = [&](errand::TaskGroup& group) -> Coro<> {
        for (int i = 0; i < 2; ++i) {
          auto member = group.add(calls(deeper));
          if (random_.below(2) == 0) tasks_.push_back(member);
        }
        co_await calls(deeper);
      };
      co_await errand::TaskGroup::run(body);
      break;
    }
    case 6: try { co_await errand::wait_for(calls(deeper), random_.time(300));
      } catch (const errand::TimeoutError&) {
      }
      break;
    case 7: co_await errand::finally(calls(deeper), calls(deeper)); break;
    case 8: {
      auto generator = generate(deeper);
      while (co_await generator.next()) data.use();
      break;
    }
    case 9: {  // a generator that somebody else may drop
      const auto at = generators_.size();
      generators_.push_back(std::make_unique<AsyncGenerator<int>>(generate(deeper)));
      try {
        co_await generators_[at]->next();
      } catch (const errand::InvalidState&) {
      }
      break;
    }
    default: break;
  }
  data.use();
}

Coro<> Round::disturb(App& app) {
  for (unsigned n = random_.below(40); n > 0; --n) {
    if (random_.below(2) == 0) {
      co_await errand::sleep(random_.time(200));
    } else {
      co_await errand::yield();
    }
    const Task<> task = tasks_[random_.below(static_cast<unsigned>(tasks_.size()))];
    switch (random_.below(5)) {
      case 0: Task<>(task).cancel("asked"); break;
      case 1:
        if (Task<>(task).abort("aborted")) expect(task.cancelled(), "an aborted task does not say so");
        break;
      case 2:
        if (!generators_.empty()) {
          const auto dropped = std::move(generators_[random_.below(static_cast<unsigned>(generators_.size()))]);
        }
        break;
      case 3:
        if (Task<>(task).abort()) {
          co_await errand::wait_all(task);
        }
        break;
      case 4: tasks_.push_back(app.add_task(work())); break;
    }
  }
  if (random_.below(3) == 0) app.stop();
}

int Round::run() {
  {
    errand::AppConfig config;
    config.max_threads = 1 + random_.below(4);
    config.on_failure = [](const errand::TaskFailure&) {};
    if (random_.below(4) == 0) config.graceful_timeout = random_.time(500);
    App app("calls", std::move(config));
    for (int i = 0; i < 12; ++i) tasks_.push_back(app.add_task(work()));
    auto main = disturb(app);
    switch (random_.below(4)) {
      case 0: app.run(std::move(main)); break;
      case 1:
        app.add_task(std::move(main));
        app.run();
        break;
      case 2:  // and then the App is destroyed in the middle of its run
        app.add_task(std::move(main));
        for (unsigned n = random_.below(100); n > 0 && app.poll(); --n) std::this_thread::sleep_for(random_.time(50));
        break;
      case 3:
        app.add_task([this]() -> Coro<> {
          co_await errand::sleep(random_.time(500));
          std::raise(SIGINT);
          std::raise(SIGINT);
        });
        try {
          app.run(std::move(main), {.handle_signals = true});
        } catch (const errand::TaskCancelled&) {
        }
        break;
    }
    generators_.clear();
  }
  expect(running_ == 0, "the App's end did not wait for a call");
  expect(alive_ == 0, "a frame was left");
  for (const auto& task : tasks_) expect(task.done(), "a task was left");
  return made_;
}

}  // namespace

int main(int argc, char** argv) {
  const long wanted = argc > 1 ? std::atol(argv[1]) : 100'000;
  if (argc > 2) seed = std::strtoull(argv[2], nullptr, 10);
  const unsigned long long first = seed;
  long made = 0;
  for (; made < wanted; ++seed) {
    alarm(60);  // ends the process if the round hangs
    Random random(seed);
    made += Round(random).run();
  }
  std::printf("calls: %ld thread calls in %llu rounds\n", made, seed - first);
}
