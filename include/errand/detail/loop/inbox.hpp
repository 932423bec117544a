// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/reactor.hpp>

namespace errand::detail {

/// Loops that are stopped together: those of the workers of one run.
struct StopGroup {
  /// Asks all loops of the group to stop. Called on any thread.
  virtual void stop() noexcept = 0;
  /// Asks all loops of the group to stop, and to wait for nothing any more. Called on any thread.
  virtual void hurry() noexcept = 0;

 protected:
  ~StopGroup() = default;
};

/// The part of a loop that other threads may use. They post calls to it, ask it to stop, and keep it running with a
/// `KeepAlive`. Each of these wakes the loop if it sleeps. The inbox may outlive the loop.
class Inbox {
 public:
  explicit Inbox(Reactor* reactor) noexcept : reactor_(reactor) {}

  /// Hands a call to the loop. Returns false from the end of a run to the start of the next one, and after the end of
  /// the App. The call then stays the caller's.
  bool post(Node& call) noexcept {
    std::lock_guard lock(mutex_);
    return open_ && ++posts_ && put(call);
  }
  /// Like `post`, for a call that the loop itself waits for, such as the end of a thread call. The inbox takes it until
  /// the App is destroyed, even between two runs.
  bool post_back(Node& call) noexcept {
    std::lock_guard lock(mutex_);
    return alive_ && put(call);
  }

  /// Asks the loop to stop, or all loops of its group if it has one.
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
  /// Asks this loop alone to stop.
  void request_own_stop() noexcept {
    stop_.store(1, std::memory_order_release);
    notify();
  }
  /// Called when a run with several workers begins, and with null when it ends.
  void set_group(std::shared_ptr<StopGroup> group) noexcept {
    std::lock_guard lock(mutex_);
    group_.swap(group);
  }

  /// Asks this loop alone to stop, and to wait for nothing any more.
  ERRAND_COLD void request_hurry() noexcept {
    hurry_.store(true, std::memory_order_release);
    request_own_stop();
  }

  /// Ends the sleep that is under way, or else the next one.
  void notify() noexcept {
    std::lock_guard lock(mutex_);
    notified_ = true;
    pending_.store(true, std::memory_order_release);
    wake();
  }

  /// Called when a `KeepAlive` is made, which keeps `run` waiting for work.
  void keep() noexcept { keepers_.fetch_add(1, std::memory_order_relaxed); }
  /// Called when a `KeepAlive` has gone. The last one wakes the loop.
  void let_go() noexcept {
    if (keepers_.fetch_sub(1, std::memory_order_acq_rel) == 1) notify();
  }

  // The members from here on are for the thread of the loop alone.

  bool has_reactor() const noexcept { return reactor_ != nullptr; }
  Reactor* reactor() const noexcept { return reactor_; }
  /// Returns true if a call was posted, or `notify` was called, since the last `take`.
  bool pending() const noexcept { return pending_.load(std::memory_order_acquire); }
  bool is_stop_requested() const noexcept { return stop_.load(std::memory_order_acquire); }
  /// Returns true if the loop was asked to stop since the last call of this function.
  bool take_stop() noexcept {
    return stop_.load(std::memory_order_relaxed) && stop_.exchange(0, std::memory_order_acquire);
  }
  bool is_hurry_requested() const noexcept { return hurry_.load(std::memory_order_relaxed); }
  bool kept() const noexcept { return keepers_.load(std::memory_order_acquire) > 0; }
  /// Returns how many calls were posted by `post`.
  std::uint64_t posts() noexcept {
    std::lock_guard lock(mutex_);
    return posts_;
  }

  /// Moves the posted calls to the end of `calls`.
  void take(NodeQueue& calls) noexcept {
    std::lock_guard lock(mutex_);
    calls.splice_back(posted_);
    pending_.store(false, std::memory_order_relaxed);
  }

  /// Called when a run begins: users can post from now on.
  void open() noexcept {
    std::lock_guard lock(mutex_);
    open_ = true;
  }

  /// Called at the end of a run: users can post nothing until the next `open`. Calls that were posted before are still
  /// in the inbox.
  void refuse() noexcept {
    std::lock_guard lock(mutex_);
    open_ = false;
    hurry_.store(false, std::memory_order_relaxed);  // the request was for the run that ends here
  }
  /// Called if a `poll` did nothing, because it was made inside the App: the host has to poll again.
  ERRAND_COLD void wake_host() noexcept {
    std::lock_guard lock(mutex_);
    if (reactor_) reactor_->wake();
  }

  /// Called when the destruction of the App begins: users can post nothing any more. Moves the calls that are left to
  /// `left`.
  void refuse(NodeQueue& left) noexcept {
    std::lock_guard lock(mutex_);
    open_ = false;
    left.splice_back(posted_);
    pending_.store(false, std::memory_order_relaxed);
  }

  /// Called when the destruction of the App ends: from now on the inbox takes no calls and wakes nobody. Moves the
  /// calls that are left to `left`.
  void close(NodeQueue& left) noexcept {
    std::lock_guard lock(mutex_);
    open_ = alive_ = false;
    reactor_ = nullptr;
    left.splice_back(posted_);
    pending_.store(false, std::memory_order_relaxed);
  }

  /// Sleeps until a call is posted, until `notify` is called, or until the time `until`. If there is a Reactor, `until`
  /// is a time of the App's clock, else one of the steady clock.
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
  // Called while the mutex is locked, because once it is free, the loop may end, and with it the Reactor or the inbox.
  void wake() noexcept {
    if (reactor_) {
      reactor_->wake();
    } else if (sleeping_) {
      woken_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable woken_;
  NodeQueue posted_;
  std::uint64_t posts_ = 0;
  Reactor* reactor_;
  std::shared_ptr<StopGroup> group_;
  bool open_ = true;
  bool alive_ = true;
  bool sleeping_ = false;
  bool notified_ = false;
  std::atomic<bool> pending_ = false;
  std::atomic<int> stop_ = 0;  // 1: asked to stop. An exchange of a bool needs a library on riscv64
  std::atomic<bool> hurry_ = false;
  std::atomic<long> keepers_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
