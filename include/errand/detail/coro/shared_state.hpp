// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/coro/future_state.hpp>
#include <errand/detail/coro/remote.hpp>

namespace errand::detail {

/// The wake-up for one await of a shared future.
class SharedNotice final : public RemoteWake {
 private:
  void destroy() noexcept override { delete this; }
};

/// The state to which all handles of a shared future, and all its waits, refer.
template <class T>
class SharedState {
 public:
  bool done() const noexcept { return done_.load(std::memory_order_acquire); }

  /// Calls `set_it` to make the value, and wakes those who wait. Returns false if the future is done. `set_it` runs
  /// code of the user's, which may use the future, or end a task that waits for it. So it is not called under the
  /// mutex. If it throws, the future is not done, and the next thread that waits to set it goes on.
  template <class Set>
  bool set(Set set_it) {
    if (!begin_set(true)) return false;
    try {
      set_it(state_);
    } catch (...) {
      end_set(false);
      if (is_abandoned_) abandon();
      throw;
    }
    tell(end_set(true));
    return true;
  }

  /// Counts one more setter.
  void add_setter() noexcept { setters_.fetch_add(1, std::memory_order_relaxed); }
  /// Counts one setter less. If it was the last one, and the future is not done, sets an `InvalidState`.
  void remove_setter() noexcept {
    if (setters_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    is_abandoned_ = true;
    abandon();
  }

  /// Adds a wake-up, to be posted when the future is set. Returns false if the future is done by now.
  bool add(SharedNotice& notice) {
    std::lock_guard lock(mutex_);
    if (done()) return false;
    notices_.push_back(notice);
    return true;
  }
  /// Removes a wake-up. Returns false if the future is done: the wake-up is being posted then.
  bool remove(SharedNotice& notice) noexcept {
    std::lock_guard lock(mutex_);
    if (done()) return false;
    notice.unlink();
    return true;
  }
  /// Returns the result of the future, which does not change any more. Throws `InvalidState` if the future is not done.
  const FutureState<T>& result() const {
    if (!done()) state_.throw_not_done();
    return state_;
  }

  ~SharedState() {
    while (!notices_.empty()) first(notices_).release();
  }

 private:
  static SharedNotice& first(NodeQueue& notices) noexcept { return static_cast<SharedNotice&>(notices.pop_front()); }
  static void tell(NodeQueue& all) noexcept {
    NodeQueue notices;
    notices.splice_back(all);
    while (!notices.empty()) first(notices).post();
  }

  /// Sets the error of a future that no setter can set any more, unless the future is done. If a value is just being
  /// made for it, by this thread or another one, does nothing: if that fails, `set` calls this.
  ERRAND_COLD void abandon() noexcept {
    std::exception_ptr error;
    try {
      error = std::make_exception_ptr(InvalidState("the last setter of this Future is gone, and has not set it"));
    } catch (...) {  // no memory for the text
      error = std::current_exception();
    }
    if (!begin_set(false)) return;
    state_.set_error(std::move(error));
    tell(end_set(true));
  }

  /// Begins to set the future. Returns false if it is done, or if this thread is setting it already. If another thread
  /// is setting it, waits until that thread has finished or, if not `may_wait`, returns false.
  bool begin_set(bool may_wait) {
    std::unique_lock lock(mutex_);
    if (setter_ == &this_thread() || (setter_ && !may_wait)) return false;
    has_set_.wait(lock, [this] { return !setter_; });
    if (done()) return false;
    setter_ = &this_thread();
    return true;
  }
  /// Ends the setting. If `is_done`, the future is done from here on, and no wake-up is added any more to the list that
  /// is returned.
  NodeQueue& end_set(bool is_done) noexcept {
    std::lock_guard lock(mutex_);
    setter_ = nullptr;
    if (is_done) done_.store(true, std::memory_order_release);
    has_set_.notify_all();
    return notices_;
  }

  std::mutex mutex_;
  std::condition_variable has_set_;
  const ThreadState* setter_ = nullptr;  // the thread that is making the value
  FutureState<T> state_;
  NodeQueue notices_;
  std::atomic<bool> done_ = false;
  std::atomic<bool> is_abandoned_ = false;  // there were setters, and the last one is gone
  std::atomic<std::size_t> setters_ = 0;
};

/// The wait of a task for a shared future.
template <class T>
class SharedWait final : public OutsideWait {
 public:
  SharedWait(std::shared_ptr<SharedState<T>> state, Chain& chain) noexcept
      : OutsideWait(Kind::future, chain), state_(std::move(state)) {}
  ~SharedWait() { leave(); }

  bool await_ready() const {
    if (!state_->done()) return false;
    chain_->check_earlier_awaits();
    state_->result().check();
    return true;
  }
  bool await_suspend(std::coroutine_handle<>) {
    if (!may_suspend()) return false;
    Owner notice(new SharedNotice);
    notice->bind(*chain_->loop);
    if (!state_->add(*notice)) {  // the future was set meanwhile
      state_->result().check();
      return false;
    }
    notice_ = notice.release();
    begin();
    notice_->attach(*this);
    return true;
  }
  bool give_up() noexcept override { return true; }
  bool has_failed() const noexcept override { return state_->result().has_failed(); }
  void throw_failure() override { state_->result().throw_failure(); }
  decltype(auto) await_resume() {
    leave();
    resumed();
    return state_->result().value();
  }

 private:
  void leave() noexcept {
    if (!notice_) return;
    if (state_->remove(*notice_)) notice_->release();
    std::exchange(notice_, nullptr)->detach();
  }

  std::shared_ptr<SharedState<T>> state_;
  SharedNotice* notice_ = nullptr;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
