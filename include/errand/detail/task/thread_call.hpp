// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

#include <errand/detail/coro/remote.hpp>
#include <errand/detail/task/branch.hpp>

namespace errand::detail {

class ThreadCalls;

/// A call for a thread of the pool. It belongs to its `ThreadWait` and to the pool. After the thread has made it, it is
/// posted back to the loop; the last of its two owners destroys it, on the App's thread.
class ThreadCallBase : public RemoteWake {
 public:
  enum class Stage : std::uint8_t { queued, running, returned };
  struct Place : Link {
    ThreadCallBase* call;
  };

  Loop* loop = nullptr;  // from its start on, as the next
  ThreadCalls* calls = nullptr;
  Place under_way;              // among the calls of the loop; for the App's thread alone
  Stage stage = Stage::queued;  // guarded by the mutex of `calls`

  StopToken stop_token() const noexcept { return stop_.get_token(); }
  /// May run code of the user's, a `std::stop_callback`, in the middle of a walk through the chain that waits.
  void request_stop() noexcept {
    if (Chain* const waiting = chain()) {
      const Pin pin(*waiting);
      stop_.request_stop();
    } else {
      stop_.request_stop();
    }
  }

  /// Whether the App's thread knows that no other thread uses it any more.
  bool has_come_back() const noexcept { return !under_way.linked(); }
  /// Notes that. Called on the App's thread, again too.
  void come_back() noexcept;
  /// What it threw, if nobody has been given that yet. A `Cancelled` is no failure.
  std::exception_ptr take_failure() noexcept { return std::exchange(is_failure_, false) ? error() : nullptr; }

  /// What it threw.
  virtual std::exception_ptr error() const noexcept = 0;
  bool has_failed() const noexcept { return has_error_; }

  /// Makes the call: once, on a thread of the pool.
  virtual void execute() noexcept = 0;
  inline void run() noexcept final;
  inline void drop() noexcept final;

 protected:
  ~ThreadCallBase() = default;
  /// Reports a failure that nobody was given, as that of a callback: the task has gone on without the call.
  void report_failure() noexcept {
    if (std::exception_ptr failure = take_failure()) loop->host->report(nullptr, std::move(failure));
  }

  bool has_error_ = false;
  bool is_failure_ = false;  // it is not a `Cancelled`, and nobody has been given it

 private:
  StopSource stop_;
};

/// The calls of an App, as the App's thread and the threads of the pool share them.
class ThreadCalls {
 public:
  using Stage = ThreadCallBase::Stage;

  explicit ThreadCalls(Loop& loop) noexcept : loop_(loop) {}
  ThreadCalls(const ThreadCalls&) = delete;
  ThreadCalls& operator=(const ThreadCalls&) = delete;

  /// The call does not begin if it has not. Gives how far it was.
  ERRAND_COLD Stage take_back(ThreadCallBase& call) noexcept {
    const std::lock_guard lock(mutex_);
    if (call.stage == Stage::queued) {
      call.unlink();
      --queued_;
    }
    return call.stage;
  }
  /// Blocks until the call has returned, which has begun.
  ERRAND_COLD void wait_for(const ThreadCallBase& call) noexcept {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&call] { return call.stage == Stage::returned; });
  }

 protected:
  /// Puts it behind those that wait for a thread. `make_thread` makes one more, if they are too few.
  template <class MakeThread>
  void add(ThreadCallBase& call, MakeThread make_thread) {
    call.bind(loop_);
    {
      const std::lock_guard lock(mutex_);
      if (idle_ <= queued_) make_thread();
      queue_.push_back(call);
      ++queued_;
    }
    call.loop = &loop_;
    call.calls = this;
    call.under_way.call = &call;
    loop_.under_way.push_back(call.under_way);
    ++loop_.thread_calls;
    wake_.notify_one();
  }

  /// Makes calls until the end of the pool: what each thread does.
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      --idle_;
      if (queue_.empty()) return;
      ThreadCallBase& call = static_cast<ThreadCallBase&>(queue_.pop_front());
      --queued_;
      call.stage = Stage::running;
      lock.unlock();
      call.execute();
      lock.lock();
      call.stage = Stage::returned;
      returned_.notify_all();
      lock.unlock();
      call.post();
      lock.lock();
    }
  }

  /// No call begins any more. Those that have begun are asked to stop, the others come back.
  ERRAND_COLD void close() noexcept {
    Queue left;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      left.splice_back(queue_);
      queued_ = 0;
    }
    wake_.notify_all();
    while (!left.empty()) static_cast<ThreadCallBase&>(left.pop_front()).drop();
    List asked;  // what a `std::stop_callback` does may wait for a call, which leaves the list then
    while (!loop_.under_way.empty()) {
      Link& first = loop_.under_way.pop_front();
      asked.push_back(first);
      static_cast<ThreadCallBase::Place&>(first).call->request_stop();
    }
    loop_.under_way.splice_back(asked);
  }

  /// All threads have ended, and so no call uses anything any more. Their wake-ups, which are still to be dropped, must
  /// not look at this: what the first of them lets go may be a wait for the second.
  ERRAND_COLD void come_back_all() noexcept {
    while (!loop_.under_way.empty()) static_cast<ThreadCallBase::Place&>(loop_.under_way.front()).call->come_back();
  }

 private:
  Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable returned_;
  Queue queue_;
  std::size_t queued_ = 0;
  std::size_t idle_ = 0;
  bool closed_ = false;
};

/// The wait for a call: to its end, or, if it may be abandoned, until the task is asked to end.
class ThreadWait : public OutsideWait {
 public:
  /// A request takes a call back that has not begun. Of one that has begun it requests the stop, or gives it up.
  ERRAND_COLD bool give_up() noexcept final {
    if (!call_ || call_->has_come_back()) return true;  // a race may have looked at it only
    switch (call_->calls->take_back(*call_)) {
      case ThreadCalls::Stage::queued:
        call_->come_back();
        call_->forget();
        call_->release();  // for the pool
        return true;
      case ThreadCalls::Stage::running:
        if (may_abandon_) {
          call_->forget();  // the stop is requested when this goes
        } else {
          call_->request_stop();
        }
        return may_abandon_;
      case ThreadCalls::Stage::returned: break;
    }
    return false;  // it has completed, and that is not undone
  }
  bool is_in_use() const noexcept final { return !may_abandon_ && !call_->has_come_back(); }
  ERRAND_COLD void block() noexcept final {
    if (!is_in_use()) return;
    call_->calls->wait_for(*call_);
    call_->come_back();
  }

  bool has_failed() const noexcept final { return call_->has_failed(); }
  void throw_failure() final {
    (void)call_->take_failure();
    std::rethrow_exception(call_->error());
  }

 protected:
  ThreadWait(bool may_abandon, Chain& chain) noexcept : OutsideWait(Kind::thread, chain), may_abandon_(may_abandon) {}
  ~ThreadWait() {
    if (call_) leave_call();
  }

  /// From now on it waits for this call, which has been started.
  void wait(ThreadCallBase& call) noexcept {
    call_ = &call;
    begin();
    call.attach(*this);
  }
  ThreadCallBase& call() const noexcept { return *call_; }

 private:
  /// An error that was not thrown, since the frame was destroyed before, comes out as a report.
  ERRAND_NOINLINE void leave_call() noexcept {
    give_up();
    if (!call_->has_come_back()) {
      call_->request_stop();
    } else if (std::exception_ptr failure = call_->take_failure()) {
      report_branch(*chain_, std::move(failure));
    }
    call_->detach();
  }

  ThreadCallBase* call_ = nullptr;  // from the await on
  const bool may_abandon_;
};

// Implementation

inline void ThreadCallBase::come_back() noexcept {
  if (!under_way.linked()) return;
  under_way.unlink();
  if (--loop->thread_calls == 0) loop->wake_all(loop->thread_waiters);
}

/// What was put off because of this call is destroyed behind its wake-up, which then wakes nobody.
inline void ThreadCallBase::run() noexcept {
  Loop& its_loop = *loop;
  come_back();
  RemoteWake::run();
  if (!its_loop.put_off.any()) return;
  its_loop.put_off.settle_returned();
  if (!its_loop.put_off.any()) its_loop.wake_all(its_loop.thread_waiters);
}

ERRAND_COLD inline void ThreadCallBase::drop() noexcept {
  Loop& its_loop = *loop;
  come_back();
  RemoteWake::drop();
  its_loop.put_off.settle_returned();
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
