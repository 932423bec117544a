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

/// A call for a thread of the pool. It belongs to both its `ThreadWait` and the pool. When a thread has made the call,
/// the thread posts it back to the loop. The last of the two owners destroys the call, on the App's thread.
class ThreadCallBase : public RemoteWake {
 public:
  enum class Stage : std::uint8_t { queued, running, returned };
  struct Place : Link {
    ThreadCallBase* call;
  };

  Loop* loop = nullptr;  // set when the call is queued, as is the next member
  ThreadCalls* calls = nullptr;
  Place under_way;              // among the calls of the loop; used by the App's thread alone
  Stage stage = Stage::queued;  // guarded by the mutex of `calls`

  StopToken stop_token() const noexcept { return stop_.get_token(); }
  /// Requests the stop through the token of the call, which may run a `std::stop_callback` of the user's. If a
  /// primitive is in the middle of waking somebody, the loop makes the request later, because the callback may destroy
  /// the primitive.
  void request_stop() noexcept {
    if (!loop->is_waking) {
      request_stop_now();
    } else if (!stop_later_.linked()) {
      loop->make_ready(stop_later_);
    }
  }

  /// Returns true if the App's thread knows that no other thread uses the call any more.
  bool is_known_returned() const noexcept { return !under_way.linked(); }
  /// Notes that no other thread uses the call any more. Called on the App's thread, once or several times.
  void note_returned() noexcept;
  /// Returns the error of the call, if nobody has been given the error yet; else null. A `Cancelled` is no failure.
  std::exception_ptr take_failure() noexcept { return std::exchange(is_failure_, false) ? error() : nullptr; }

  /// Returns the exception that the call has thrown.
  virtual std::exception_ptr error() const noexcept = 0;
  bool has_failed() const noexcept { return has_error_; }

  /// Makes the call. Called once, on a thread of the pool.
  virtual void execute() noexcept = 0;
  ERRAND_ONCE void run() noexcept final;
  ERRAND_ONCE void drop() noexcept final;

 protected:
  ThreadCallBase() = default;
  ~ThreadCallBase() {
    if (stop_later_.linked()) loop->take_out(stop_later_);
  }
  /// Reports a failure that nobody was given. It is reported as the failure of a callback, because the task has gone on
  /// without the call.
  void report_failure() noexcept {
    if (std::exception_ptr failure = take_failure()) loop->host->report(nullptr, std::move(failure));
  }

  bool has_error_ = false;
  bool is_failure_ = false;  // the error is not a `Cancelled`, and nobody has been given it

 private:
  /// A stop that is requested by the loop.
  class StopLater final : public Call {
   public:
    explicit StopLater(ThreadCallBase& call) noexcept : call_(call) {}
    void run() noexcept override { call_.request_stop_now(); }
    void drop() noexcept override {}  // at the App's end, the pool requests the stop of all calls

   private:
    ThreadCallBase& call_;
  };

  /// The callback may run in the middle of work on the chain that waits. So a Pin keeps the frames of that chain until
  /// the callback has returned.
  void request_stop_now() noexcept {
    if (Chain* const waiting = chain()) {
      const Pin pin(*waiting);
      stop_.request_stop();
    } else {
      stop_.request_stop();
    }
  }

  StopSource stop_;
  StopLater stop_later_{*this};
};

/// The calls of an App, which the App's thread and the threads of the pool share.
class ThreadCalls {
 public:
  using Stage = ThreadCallBase::Stage;

  explicit ThreadCalls(Loop& loop) noexcept : loop_(loop) {}
  ThreadCalls(const ThreadCalls&) = delete;
  ThreadCalls& operator=(const ThreadCalls&) = delete;

  /// Takes the call out of the queue if it has not begun: it never begins then. Returns the stage of the call, `queued`
  /// if it was taken back.
  ERRAND_COLD Stage take_back(ThreadCallBase& call) noexcept {
    const std::lock_guard lock(mutex_);
    if (call.stage == Stage::queued) {
      call.unlink();
      --queued_;
    }
    return call.stage;
  }
  /// Blocks until the call has returned. The call must have begun.
  ERRAND_COLD void wait_for(const ThreadCallBase& call) noexcept {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&call] { return call.stage == Stage::returned; });
  }

 protected:
  /// Appends the call to the queue of those that wait for a thread. If too few threads are idle, calls `make_thread`,
  /// which may make another one. If that throws, the call is not queued.
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

  /// Run by each thread of the pool: makes calls until the pool is closed.
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

  /// Called before the threads are joined. No call begins any more: the calls in the queue come back without having
  /// run, and the calls that have begun are asked to stop.
  ERRAND_COLD void close() noexcept {
    NodeQueue left;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      left.splice_back(queue_);
      queued_ = 0;
    }
    wake_.notify_all();
    while (!left.empty()) static_cast<ThreadCallBase&>(left.pop_front()).drop();
    List asked;  // a `std::stop_callback` may make another call come back, which then leaves the list it stands in
    while (!loop_.under_way.empty()) {
      Link& first = loop_.under_way.pop_front();
      asked.push_back(first);
      static_cast<ThreadCallBase::Place&>(first).call->request_stop();
    }
    loop_.under_way.splice_back(asked);
  }

  /// Called when all threads have ended. The wake-ups of their calls are still to be dropped. To drop one may destroy
  /// the wait for another call, and that wait must not use this object any more. So all calls are marked first.
  ERRAND_COLD void note_all_returned() noexcept {
    while (!loop_.under_way.empty()) static_cast<ThreadCallBase::Place&>(loop_.under_way.front()).call->note_returned();
  }

 private:
  Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable returned_;
  NodeQueue queue_;
  std::size_t queued_ = 0;
  std::size_t idle_ = 0;
  bool closed_ = false;
};

/// The wait for a thread call. It ends when the call has returned. If the call may be abandoned, a request to end ends
/// the wait at once.
class ThreadWait : public OutsideWait {
 public:
  /// Takes the call back if it has not begun. If it has begun, requests its stop or, if it may be abandoned, leaves it
  /// to itself.
  ERRAND_COLD bool give_up() noexcept final {
    if (!call_ || call_->is_known_returned()) return true;  // there is no call if a race has only looked at this wait
    switch (call_->calls->take_back(*call_)) {
      case ThreadCalls::Stage::queued:
        call_->note_returned();
        call_->forget();
        call_->release();  // the share of the pool, which will not post the call
        return true;
      case ThreadCalls::Stage::running:
        if (may_abandon_) {
          call_->forget();  // the destructor of this wait requests the stop
        } else {
          call_->request_stop();
        }
        return may_abandon_;
      case ThreadCalls::Stage::returned: break;
    }
    return false;  // the call has completed, and its result is to be given
  }
  bool is_in_use() const noexcept final { return !may_abandon_ && !call_->is_known_returned(); }
  ERRAND_COLD void block() noexcept final {
    if (!is_in_use()) return;
    call_->calls->wait_for(*call_);
    call_->note_returned();
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

  /// Begins to wait for this call, which has been started.
  void wait(ThreadCallBase& call) noexcept {
    call_ = &call;
    begin();
    call.attach(*this);
  }
  ThreadCallBase& call() const noexcept { return *call_; }

 private:
  /// Called when this wait is destroyed. Reports an error of the call that was not thrown, because the frame is
  /// destroyed before that could happen.
  ERRAND_NOINLINE void leave_call() noexcept {
    give_up();
    if (!call_->is_known_returned()) {
      call_->request_stop();
    } else if (std::exception_ptr failure = call_->take_failure()) {
      report_branch(*chain_, std::move(failure));
    }
    call_->detach();
  }

  ThreadCallBase* call_ = nullptr;  // null until the await begins
  const bool may_abandon_;
};

// Implementation

#if ERRAND_DEFINES

ERRAND_ONCE void ThreadCallBase::note_returned() noexcept {
  if (!under_way.linked()) return;
  under_way.unlink();
  if (--loop->thread_calls == 0) loop->wake_all(loop->thread_waiters);
}

/// Called by the loop when the call has returned. Wakes the task, unless the task no longer waits. Then destroys the
/// tasks that could not be destroyed while the call used them.
ERRAND_ONCE void ThreadCallBase::run() noexcept {
  Loop& its_loop = *loop;
  note_returned();
  RemoteWake::run();
  if (!its_loop.put_off.any()) return;
  its_loop.put_off.settle_returned();
  if (!its_loop.put_off.any()) its_loop.wake_all(its_loop.thread_waiters);
}

ERRAND_COLD ERRAND_ONCE void ThreadCallBase::drop() noexcept {
  Loop& its_loop = *loop;
  note_returned();
  RemoteWake::drop();
  its_loop.put_off.settle_returned();
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
