// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <errand/detail/remote.hpp>

namespace errand::detail {

/// A call for a thread of the pool. When it is done it is posted back to the loop, and destroyed there.
class PoolCall : public RemoteWake {
 public:
  StopToken stop_token() const noexcept { return stop_.get_token(); }
  void request_stop() noexcept { stop_.request_stop(); }

  void run() noexcept final {
    come_back();
    RemoteWake::run();
  }
  void drop() noexcept final {
    come_back();
    RemoteWake::drop();
  }
  virtual void execute() noexcept = 0;

  struct Place : Link {
    PoolCall* call;
  };
  Loop* loop = nullptr;  // from its start on
  Place under_way;       // among the calls of the loop; for the App's thread alone

 protected:
  ~PoolCall() = default;

 private:
  void come_back() noexcept {
    if (!under_way.linked()) return;
    under_way.unlink();
    if (--loop->thread_calls == 0) loop->wake_all(loop->thread_waiters);
  }

  StopSource stop_;
};

/// The threads of an App, made on demand. It belongs to the loop, and is made by the first call. `Thread` is
/// `std::thread`: what makes threads is a template, so that only a program that has any pays for compiling that.
template <class Thread = std::thread>
class ThreadPool {
 public:
  static ThreadPool& of(Loop& loop) {
    if (!loop.thread_pool) loop.thread_pool = std::make_shared<ThreadPool>(loop);
    return *static_cast<ThreadPool*>(loop.thread_pool.get());
  }

  explicit ThreadPool(Loop& loop) : loop_(loop), most_(loop.max_threads > 0 ? loop.max_threads : 1) {}
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// Asks the calls that are under way to stop, and waits for them. Those that have not begun do not begin.
  ~ThreadPool() {
    for (Link* link = loop_.under_way.begin(); link != loop_.under_way.end(); link = link->next) {
      static_cast<PoolCall::Place&>(*link).call->request_stop();
    }
    Queue left;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      left.splice_back(queue_);
    }
    wake_.notify_all();
    for (Thread& thread : threads_) thread.join();
    while (!left.empty()) static_cast<PoolCall&>(left.pop_front()).post();
  }

  /// On the App's thread. Throws where there is no thread, and none can be made.
  void start(PoolCall& call) {
    call.bind(loop_);
    call.loop = &loop_;
    {
      std::lock_guard lock(mutex_);
      if (idle_ <= queued_ && threads_.size() < most_) {
        try {
          threads_.emplace_back([this] { serve(); });  // has room before the thread begins
        } catch (...) {
          if (threads_.empty()) throw;
        }
      }
      queue_.push_back(call);
      ++queued_;
    }
    call.under_way.call = &call;
    loop_.under_way.push_back(call.under_way);
    ++loop_.thread_calls;
    wake_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      --idle_;
      if (queue_.empty()) return;
      PoolCall& call = static_cast<PoolCall&>(queue_.pop_front());
      --queued_;
      lock.unlock();
      call.execute();
      call.post();
      lock.lock();
    }
  }

  Loop& loop_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Queue queue_;
  std::size_t queued_ = 0;
  std::size_t idle_ = 0;
  bool closed_ = false;
  std::vector<Thread> threads_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
