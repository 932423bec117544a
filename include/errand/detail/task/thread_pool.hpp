// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <errand/detail/task/thread_call.hpp>

namespace errand::detail {

/// The threads of an App, made when they are needed. The pool belongs to the loop, and is made by the first call.
///
/// `Thread` is always `std::thread`. The pool is a template, so that a program without thread calls does not pay for
/// compiling it.
template <class Thread = std::thread>
class ThreadPool final : public ThreadCalls {
 public:
  /// Returns the pool of this loop, which it makes if there is none.
  static ThreadPool& of(Loop& loop) {
    if (!loop.thread_pool) loop.thread_pool = std::make_shared<ThreadPool>(loop);
    return *static_cast<ThreadPool*>(loop.thread_pool.get());
  }

  explicit ThreadPool(Loop& loop) : ThreadCalls(loop), most_(loop.max_threads > 0 ? loop.max_threads : 1) {}
  /// Asks the calls that have begun to stop, and blocks until they have returned. The other calls never begin.
  ~ThreadPool() {
    close();
    for (Thread& thread : threads_) thread.join();
    note_all_returned();
  }

  /// Starts the call. To be called on the App's thread. Throws if there is no thread and none can be made.
  void start(ThreadCallBase& call) {
    add(call, [this] {
      if (threads_.size() == most_) return;
      try {
        threads_.emplace_back([this] { serve(); });  // makes room before it makes the thread
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
