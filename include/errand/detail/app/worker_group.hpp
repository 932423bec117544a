// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <errand/detail/app/workers.hpp>
#include <errand/future.hpp>

namespace errand::detail {

/// The workers of one run. They are stopped together, and the first error of any of them is the error of the run.
/// `Thread` is `std::thread`: this is a template so that only a program with several workers compiles it.
template <class Thread = std::thread>
class WorkerGroup final : public Workers, public std::enable_shared_from_this<WorkerGroup<Thread>> {
 public:
  void add(const std::shared_ptr<Inbox>& inbox) {
    std::lock_guard lock(mutex_);
    inboxes_.push_back(inbox);
    inbox->set_group(this->shared_from_this());
    if (stopped_) inbox->request_own_stop();
    if (hurried_) inbox->request_hurry();
  }

  /// Called on any thread.
  void stop() noexcept override {
    std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    for (const auto& inbox : inboxes_) inbox->request_own_stop();
  }
  /// Called on any thread.
  void hurry() noexcept override {
    std::lock_guard lock(mutex_);
    stopped_ = hurried_ = true;
    for (const auto& inbox : inboxes_) inbox->request_hurry();
  }
  /// Called on any thread when a worker has failed: stops all workers. Returns false if another worker has failed
  /// before.
  bool fail(std::exception_ptr error) noexcept {
    bool is_first = false;
    {
      std::lock_guard lock(mutex_);
      is_first = !error_;
      if (is_first) error_ = std::move(error);
    }
    stop();
    return is_first;
  }
  std::exception_ptr error() noexcept override {
    std::lock_guard lock(mutex_);
    return error_;
  }

  /// Calls `worker`, which is moved and never copied, on a thread of its own, and destroys it there. Throws if there
  /// can be no thread.
  template <class F>
  void start(F worker) {
    {
      std::lock_guard lock(mutex_);
      ++running_;
    }
    try {
      // The vector makes room before the thread begins.
      threads_.emplace_back([this, worker = std::move(worker)]() mutable {
        {
          F own(std::move(worker));
          own();
        }
        ended();
      });
    } catch (...) {
      ended();
      throw;
    }
  }
  /// Returns a future that is done when the workers that were started have ended. Called once, by worker 0.
  Future<>::Shared all_ended() {
    std::lock_guard lock(mutex_);
    is_awaited_ = true;
    if (running_ == 0) ended_.set_result();
    return ended_;
  }

  void begin(Call call) override { calls_[static_cast<unsigned>(call)].lock(); }
  void end(Call call) noexcept override { calls_[static_cast<unsigned>(call)].unlock(); }

  void join() noexcept override {
    stop();
    for (Thread& thread : threads_) thread.join();
    threads_.clear();
    std::lock_guard lock(mutex_);
    for (const auto& inbox : inboxes_) inbox->set_group(nullptr);
    inboxes_.clear();
  }

 private:
  void ended() {
    std::lock_guard lock(mutex_);
    if (--running_ == 0 && is_awaited_) ended_.set_result();
  }

  std::mutex mutex_;
  std::recursive_mutex calls_[2];  // recursive, because a report may cause another one
  std::vector<std::shared_ptr<Inbox>> inboxes_;
  std::vector<Thread> threads_;
  std::exception_ptr error_;
  std::size_t running_ = 0;
  bool is_awaited_ = false;
  bool stopped_ = false;
  bool hurried_ = false;
  Future<>::Shared ended_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
