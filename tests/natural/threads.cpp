// SPDX-License-Identifier: MIT
// Programs with thread calls that use objects of the caller.
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <stop_token>
#include <thread>

#include "harness.hpp"

#ifdef __cpp_lib_jthread  // libc++ has std::jthread from version 20 on

using errand::Queue;
using errand::TaskScope;
using errand::to_thread;
using errand::wait_for;
using natural::Counted;
using natural::Log;

namespace {

/// Works until it is asked to stop, or until the duration is over.
bool work(const std::stop_token& stop, std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (!stop.stop_requested()) {
    if (std::chrono::steady_clock::now() >= end) return true;
    std::this_thread::sleep_for(100us);
  }
  return false;
}

// Locals that a thread call uses by reference

Coro<> locals(App&, Log& log) {
  const Counted token;
  std::vector<int> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 1);
  int sum = 0;
  const auto add_up = [&] {
    token.use();
    std::this_thread::sleep_for(300us);
    sum = std::accumulate(numbers.begin(), numbers.end(), 0);
    return numbers.size();
  };
  const auto count = co_await to_thread(add_up);
  log(count, sum);
  const auto reverse = [&](const std::stop_token& stop) {
    std::reverse(numbers.begin(), numbers.end());
    work(stop, 2ms);
    token.use();
  };
  co_await to_thread(reverse);
  log(numbers.front());
}

// A thread call that takes too long

Coro<> timed_out(App&, Log& log) {
  Counted token;
  int steps = 0;
  const auto search = [&](const std::stop_token& stop) {
    while (work(stop, 1ms) && ++steps < 5000) token.use();
    return steps;
  };
  try {
    co_await wait_for(to_thread(search), 5ms);  // returns the steps that the call has made when it is asked to stop
  } catch (const TimeoutError&) {               // the call had not begun
  }
  log("searched");
  const auto stubborn = [&] {
    std::this_thread::sleep_for(3ms);
    token.use();
    throw runtime_error("no such file");
  };
  try {
    co_await wait_for(to_thread(stubborn), 1ms);
  } catch (const TimeoutError&) {
  } catch (const runtime_error& e) {
    if (e.what() != std::string("no such file")) throw;
  }
  log("read");
}

// A thread call that its caller cancels

Coro<> cancelled_call(App& app, Log& log) {
  Counted token;
  bool was_finished = false;
  const auto index = [&](const std::stop_token& stop) {
    was_finished = work(stop, 5s);
    token.use();
  };
  const auto indexing = app.add_task([&]() -> Coro<> { co_await to_thread(index); }, "index");
  const errand::ScopedTask guard{indexing};
  const auto settle = [] { std::this_thread::sleep_for(1ms); };
  co_await to_thread(settle);
  co_await app.cancel_task("index", "the user has changed the file");
  log("finished", was_finished);
}

// Thread calls side by side

Coro<> halves(App&, Log& log) {
  std::vector<int> numbers(2000);
  std::iota(numbers.begin(), numbers.end(), 1);
  const Counted token;
  const auto sort = [&](std::size_t from, std::size_t to) {
    token.use();
    std::this_thread::sleep_for(300us);
    const auto begin = numbers.begin();
    std::sort(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to), std::greater<>());
    return numbers[from];
  };
  const auto [left, right] = co_await errand::gather(to_thread(sort, 0U, 1000U), to_thread(sort, 1000U, 2000U));
  log(left, right);
  std::reverse(numbers.begin(), numbers.end());
  const auto fail = [&] {
    token.use();
    throw runtime_error("disk full");
  };
  const auto write = [&](const std::stop_token& stop) { return work(stop, 5s) ? numbers[0] : numbers[1]; };
  try {
    co_await errand::gather(to_thread(write), to_thread(fail));
  } catch (const runtime_error& e) {
    log(e, numbers.front());
  }
}

// A download with progress, and a clean-up that waits

class Downloader : Counted {
 public:
  explicit Downloader(Log& log) : log_(log) {}
  Coro<std::string> download(int chunks) {
    std::string file;
    Queue<int> received;
    TaskScope progress;
    progress.add([&]() -> Coro<> { return show(received); });
    const auto body = [&]() -> Coro<> {
      const auto read = [&] {
        std::this_thread::sleep_for(200us);
        use();
        file += 'x';
      };
      for (int i = 1; i <= chunks; ++i) {
        co_await to_thread(read);
        received.try_put(i);
      }
    };
    const auto cleanup = [&]() -> Coro<> {
      received.close();
      co_await progress.join();
      const auto remove = [this] { use(); };
      co_await to_thread(remove);
      log_("temporary file removed");
    };
    co_await errand::finally(body, cleanup);
    co_return file;
  }

 private:
  Coro<> show(Queue<int>& received) {
    try {
      for (;;) {
        const int chunk = co_await received.get();
        use();
        log_("received", chunk);
      }
    } catch (const errand::QueueClosed&) {
    }
  }

  Log& log_;
};

Coro<> download(App&, Log& log) {
  Downloader downloader(log);
  const std::string file = co_await downloader.download(2);
  log(file);
}

// An object that works on threads, and goes before they are ready

class Thumbnails : Counted {
 public:
  explicit Thumbnails(int count) : pixels_(static_cast<std::size_t>(count)) {
    for (int& pixel : pixels_) tasks_.add([this, &pixel] { return scale(pixel); });
  }
  Coro<> ready() { co_await tasks_.join(); }
  int sum() const { return std::accumulate(pixels_.begin(), pixels_.end(), 0); }

 private:
  Coro<> scale(int& pixel) {
    const auto work_on_pixel = [&](const std::stop_token& stop) {
      use();
      pixel = work(stop, pixels_.size() > 3 ? 5s : 1ms) ? 1 : 0;
      use();
    };
    co_await to_thread(work_on_pixel);
    co_await to_thread(work_on_pixel);
  }

  std::vector<int> pixels_;
  TaskScope tasks_;
};

Coro<> thumbnails(App&, Log& log) {
  {
    Thumbnails many(8);  // more tasks than the App has threads
    co_await errand::yield();
    co_await errand::yield();
  }
  Thumbnails few(3);
  co_await few.ready();
  log(few.sum());
}

// A thread of the user's own, which posts

class Ticker : Counted {
 public:
  Ticker(App& app, std::function<void(int)> tick)
      : tick_(std::move(tick)), thread_([this, &app, keep_alive = app.keep_alive()](const std::stop_token& stop) {
          for (int i = 1; i <= 5 && !stop.stop_requested(); ++i) {
            std::this_thread::sleep_for(200us);
            app.post([this, i, alive = std::weak_ptr(alive_)] {
              if (alive.expired()) return;
              use();
              tick_(i);
            });
          }
        }) {}

 private:
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::function<void(int)> tick_;
  std::jthread thread_;
};

Coro<> ticker(App& app, Log& log) {
  Queue<int> ticks;
  const Ticker source(app, [&](int i) { ticks.try_put(i); });
  int sum = 0;
  for (int i = 0; i < 5; ++i) sum += co_await ticks.get();
  log(sum);
}

}  // namespace

TEST_CASE("natural: locals that a thread call uses by reference") {
  natural::check({.main = locals, .log = "1000 500500 ; 1000", .has_threads = true});
}
TEST_CASE("natural: a thread call that takes too long") {
  natural::check({.main = timed_out,
                  .log = "searched ; read",
                  .lost = {"no such file"},
                  .has_threads = true,
                  .is_timed_by_system = true});
}
TEST_CASE("natural: a thread call that its caller cancels") {
  natural::check({.main = cancelled_call, .log = "finished false", .has_threads = true});
}
TEST_CASE("natural: thread calls side by side") {
  natural::check({.main = halves, .log = "1000 2000 ; disk full 1001", .lost = {"disk full"}, .has_threads = true});
}
TEST_CASE("natural: a download with progress, and a clean-up that waits") {
  natural::check({.main = download,
                  .log = "received 1 ; received 2 ; temporary file removed ; xx",
                  .has_threads = true,
                  .if_cancelled = TaskStatus::succeeded});
}
TEST_CASE("natural: an object that works on threads, and goes before they are ready") {
  natural::check({.main = thumbnails, .log = "3", .has_threads = true});
}
TEST_CASE("natural: a thread of the user's own, which posts") {
  natural::check({.main = ticker, .log = "15", .has_threads = true});
}

#endif
