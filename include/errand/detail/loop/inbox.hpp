// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/reactor.hpp>

namespace errand::detail {

/// Loops that are stopped together.
struct StopGroup {
  virtual void stop() noexcept = 0;
  /// All of them stop, and wait for nothing any more.
  virtual void hurry() noexcept = 0;

 protected:
  ~StopGroup() = default;
};

/// What other threads reach a loop by: calls posted to it, the request to stop, the guards that keep it running, and
/// the sleep from which each of them wakes it. It may outlive the loop; all that is in here any thread may use.
class Inbox {
 public:
  explicit Inbox(Reactor* reactor) noexcept : reactor_(reactor) {}

  /// Hands a call to the loop. False, and the call stays the caller's, where the loop takes none any more.
  bool post(Node& call) noexcept {
    std::lock_guard lock(mutex_);
    return open_ && put(call);
  }
  /// The same of what the loop itself has set going: taken as long as it lives, also between two runs.
  bool post_back(Node& call) noexcept {
    std::lock_guard lock(mutex_);
    return alive_ && put(call);
  }

  ERRAND_COLD void request_stop() noexcept {
    std::shared_ptr<StopGroup> group;
    {
      std::lock_guard lock(mutex_);
      group = group_;
    }
    if (group) {
      group->stop();
    } else {
      request_own_stop();
    }
  }
  void request_own_stop() noexcept {
    stop_.store(true, std::memory_order_release);
    notify();
  }
  void set_group(std::shared_ptr<StopGroup> group) noexcept {
    std::lock_guard lock(mutex_);
    group_.swap(group);
  }

  /// The loop is to stop, and to wait for nothing any more.
  ERRAND_COLD void request_hurry() noexcept {
    hurry_.store(true, std::memory_order_release);
    request_own_stop();
  }

  /// Ends the sleep that is under way, or the next one.
  void notify() noexcept {
    std::lock_guard lock(mutex_);
    notified_ = true;
    pending_.store(true, std::memory_order_release);
    wake();
  }

  void keep() noexcept { keepers_.fetch_add(1, std::memory_order_relaxed); }
  void let_go() noexcept {
    if (keepers_.fetch_sub(1, std::memory_order_acq_rel) == 1) notify();
  }

  // The rest is for the loop's own thread.

  bool has_reactor() const noexcept { return reactor_ != nullptr; }
  /// Whether something was posted, or a notice given, since the last `take`.
  bool pending() const noexcept { return pending_.load(std::memory_order_acquire); }
  bool is_stop_requested() const noexcept { return stop_.load(std::memory_order_acquire); }
  /// Whether somebody has asked for the end since the last call.
  bool take_stop() noexcept {
    return stop_.load(std::memory_order_relaxed) && stop_.exchange(false, std::memory_order_acquire);
  }
  bool is_hurry_requested() const noexcept { return hurry_.load(std::memory_order_relaxed); }
  bool kept() const noexcept { return keepers_.load(std::memory_order_acquire) > 0; }

  void take(Queue& calls) noexcept {
    std::lock_guard lock(mutex_);
    calls.splice_back(posted_);
    pending_.store(false, std::memory_order_relaxed);
  }

  /// A run begins.
  void open() noexcept {
    std::lock_guard lock(mutex_);
    open_ = true;
  }

  /// From here to the next `open`, users can post nothing. What was posted before is still to be taken out.
  void refuse() noexcept {
    std::lock_guard lock(mutex_);
    open_ = false;
    hurry_.store(false, std::memory_order_relaxed);  // that was for the run which ends here
  }
  /// The App was polled in vain: its host is to poll again.
  ERRAND_COLD void wake_host() noexcept {
    std::lock_guard lock(mutex_);
    if (reactor_) reactor_->wake();
  }

  /// The beginning of the end: takes nothing from users any more, and gives what is left.
  void refuse(Queue& left) noexcept {
    std::lock_guard lock(mutex_);
    open_ = false;
    left.splice_back(posted_);
    pending_.store(false, std::memory_order_relaxed);
  }

  /// The end of the loop: takes nothing any more, wakes nobody any more.
  void close(Queue& left) noexcept {
    std::lock_guard lock(mutex_);
    open_ = alive_ = false;
    reactor_ = nullptr;
    left.splice_back(posted_);
    pending_.store(false, std::memory_order_relaxed);
  }

  /// Sleeps until something is posted, until a notice, or until then. With a reactor the deadline is one of the App's
  /// clock, without one it is the steady clock's.
  ERRAND_COLD void sleep(std::optional<Clock::time_point> until) {
    if (reactor_) {
      reactor_->wait(until);
      std::lock_guard lock(mutex_);
      notified_ = false;
      return;
    }
    std::unique_lock lock(mutex_);
    const auto called = [this] { return notified_ || !posted_.empty(); };
    sleeping_ = true;
    if (until) {
      woken_.wait_until(lock, *until, called);
    } else {
      woken_.wait(lock, called);
    }
    sleeping_ = false;
    notified_ = false;
  }

 private:
  bool put(Node& call) noexcept {
    const bool first = posted_.empty();
    posted_.push_back(call);
    if (first) {
      pending_.store(true, std::memory_order_release);
      wake();
    }
    return true;
  }
  // Under the mutex: once it is free, the loop may end and take the inbox with it.
  void wake() noexcept {
    if (reactor_) {
      reactor_->wake();
    } else if (sleeping_) {
      woken_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable woken_;
  Queue posted_;
  Reactor* reactor_;
  std::shared_ptr<StopGroup> group_;
  bool open_ = true;
  bool alive_ = true;
  bool sleeping_ = false;
  bool notified_ = false;
  std::atomic<bool> pending_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> hurry_ = false;
  std::atomic<long> keepers_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
