// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <errand/detail/task/thread_call.hpp>

namespace errand::detail {

/// The threads of an App, made on demand. It belongs to the loop, and is made by the first call. `Thread` is
/// `std::thread`: what makes threads is a template, so that only a program that has any pays for compiling that.
template <class Thread = std::thread>
class ThreadPool final : public ThreadCalls {
 public:
  static ThreadPool& of(Loop& loop) {
    if (!loop.thread_pool) loop.thread_pool = std::make_shared<ThreadPool>(loop);
    return *static_cast<ThreadPool*>(loop.thread_pool.get());
  }

  explicit ThreadPool(Loop& loop) : ThreadCalls(loop), most_(loop.max_threads > 0 ? loop.max_threads : 1) {}
  /// Asks the calls that are under way to stop, and waits for them. Those that have not begun do not begin.
  ~ThreadPool() {
    close();
    for (Thread& thread : threads_) thread.join();
    come_back_all();
  }

  /// On the App's thread. Throws where there is no thread, and none can be made.
  void start(ThreadCallBase& call) {
    add(call, [this] {
      if (threads_.size() == most_) return;
      try {
        threads_.emplace_back([this] { serve(); });  // has room before the thread begins
      } catch (...) {
        if (threads_.empty()) throw;
      }
    });
  }

 private:
  const std::size_t most_;
  std::vector<Thread> threads_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
