// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <errand/detail/loop/timers.hpp>

#include "catch.hpp"

using namespace std::chrono_literals;

namespace {

using errand::Clock;
using errand::detail::TimerNode;
using errand::detail::Timers;

struct Timer : TimerNode {
  Timer() : TimerNode(true) {}
};

/// Does each operation on a `Timers` and on a sorted map, and compares the two.
class Compared {
 public:
  void arm(Clock::time_point when) {
    auto timer = std::make_unique<Timer>();
    queue_.arm(*timer, when);
    REQUIRE(timer->armed());
    const Key key{when, ++armed_};
    order_.push_back(key);
    sorted_.emplace(key, std::move(timer));
    compare();
  }
  void pop() {
    const auto first = sorted_.begin();
    REQUIRE(&queue_.pop() == first->second.get());
    forget(first);
  }
  void disarm_oldest() { disarm(0); }
  void disarm_newest() { disarm(order_.size() - 1); }
  /// Disarms the timer that was armed as number `place` of those that are left.
  void disarm(std::size_t place) {
    const auto found = sorted_.find(order_[place]);
    queue_.disarm(*found->second);
    forget(found);
  }
  std::size_t size() const { return sorted_.size(); }
  bool empty() const { return sorted_.empty(); }

 private:
  using Key = std::pair<Clock::time_point, std::uint64_t>;

  void forget(std::map<Key, std::unique_ptr<Timer>>::iterator timer) {
    REQUIRE(!timer->second->armed());
    order_.erase(std::lower_bound(order_.begin(), order_.end(), timer->first,
                                  [](const Key& a, const Key& b) { return a.second < b.second; }));
    sorted_.erase(timer);
    compare();
  }
  void compare() {
    REQUIRE(queue_.size() == sorted_.size());
    REQUIRE(queue_.empty() == sorted_.empty());
    if (!sorted_.empty()) REQUIRE(queue_.next() == sorted_.begin()->first.first);
  }

  Timers queue_;
  std::map<Key, std::unique_ptr<Timer>> sorted_;
  std::vector<Key> order_;  // in the order in which they were armed
  std::uint64_t armed_ = 0;
};

/// Returns the next of a sequence of random numbers below `n`.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t operator()(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }

 private:
  std::mt19937 engine_;
};

/// A way to choose the delay of the next timer.
struct Delays {
  const char* name;
  std::chrono::nanoseconds (*next)(Random&);
};

const Delays all_delays[] = {
    {"one delay", [](Random&) -> std::chrono::nanoseconds { return 30s; }},
    {"two delays", [](Random& random) -> std::chrono::nanoseconds { return random(2) == 0 ? 30s : 1s; }},
    {"seldom a long one", [](Random& random) -> std::chrono::nanoseconds { return random(100) == 0 ? 1h : 30s; }},
    {"random delays", [](Random& random) { return std::chrono::nanoseconds(random(1000)); }},
    {"few different deadlines", [](Random& random) { return std::chrono::nanoseconds(random(3)); }},
};

}  // namespace

TEST_CASE("timers come out by deadline, and then in the order in which they were armed, as those of a sorted map") {
  for (const Delays& delays : all_delays) {
    for (unsigned seed = 1; seed <= 12; ++seed) {
      CAPTURE(delays.name, seed);
      Random random(seed);
      Compared timers;
      Clock::time_point now{};
      for (int phase = 0; phase < 12; ++phase) {
        const std::size_t arms =
            1 + random(6);  // of ten operations: so the queue grows in one phase and shrinks in another
        const std::size_t way = random(4);
        for (int i = 0; i < 250; ++i) {
          now += std::chrono::nanoseconds(random(3));
          if (timers.empty() || random(10) < arms) {
            timers.arm(now + delays.next(random));
          } else if (way == 0) {
            timers.disarm_oldest();
          } else if (way == 1) {
            timers.disarm_newest();
          } else if (way == 2) {
            timers.disarm(random(timers.size()));
          } else {
            timers.pop();
          }
        }
      }
      while (!timers.empty()) timers.pop();
    }
  }
}

TEST_CASE("a timer that stands in the lane for long does not make it grow while others come and go behind it") {
  Timers timers;
  Timer first, last;
  timers.arm(first, Clock::time_point(1s));
  for (int i = 0; i < 100'000; ++i) {
    Timer passing;
    timers.arm(passing, Clock::time_point(2s));
    timers.arm(last, Clock::time_point(3s));  // so that the one before leaves a gap
    timers.disarm(passing);
    timers.disarm(last);
  }
  CHECK(timers.size() == 1);
  CHECK(&timers.pop() == &first);
  CHECK(timers.empty());
}

TEST_CASE("a timer that is due in the far future does not keep the others out of the lane for long") {
  Timers timers;
  Timer far_away;
  timers.arm(far_away, Clock::time_point(1h));
  std::vector<std::unique_ptr<Timer>> others;
  for (int i = 0; i < 1000; ++i) {
    auto& timer = others.emplace_back(std::make_unique<Timer>());
    timers.arm(*timer, Clock::time_point(std::chrono::seconds(1 + i)));
  }
  CHECK((others.back()->timer & errand::detail::TimerLane::mark) != 0);
  CHECK((far_away.timer & errand::detail::TimerLane::mark) == 0);
  for (const auto& timer : others) CHECK(&timers.pop() == timer.get());
  CHECK(&timers.pop() == &far_away);
}
