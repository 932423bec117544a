// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/base/storage.hpp>

namespace errand {

namespace detail {

template <class T>
struct WatchState;
template <class T>
class WatchAwait;

}  // namespace detail

/// A value that tasks can watch: they wait until it satisfies a predicate, or read it whenever it has changed. Each
/// `set` and `update` counts as a change, also if the new value equals the old one.
///
/// The value is judged by the setter, before `set` or `update` returns. So a task gets the very value that satisfied
/// its predicate, even if the value has changed again before the task resumes. Meanwhile the Watch cannot be changed:
/// if a predicate, or a copy or a move of the value, calls `set` or `update`, that throws `InvalidState`. If a
/// predicate throws, the await of its task throws that, and the setter does not.
///
/// If the Watch is destroyed while tasks wait, their awaits throw `InvalidState`. It can be neither copied nor moved,
/// and belongs to the tasks of one App. Every member throws `WrongThread` if a task is waiting and another thread is
/// inside the App of that task.
///
///     errand::Watch<int> temperature(20);
///     auto hot = [](int degrees) { return degrees > 30; };
///     const int degrees = co_await temperature.wait(hot);
template <class T>
class Watch {
  static_assert(std::is_object_v<T>, "a Watch has an object as its value: watch a pointer");
  static_assert(detail::keeps_alignment<T>,
                "the alignment of the value may not be above the default one: watch a std::shared_ptr");

 public:
  /// Makes a Watch with its first value, which is no change yet.
  explicit Watch(T value) : state_(std::make_shared<detail::WatchState<T>>(std::move(value))) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { state_->end(); }

  /// Returns the value. The reference is good until the Watch is destroyed, and refers to the newest value.
  const T& get() const {
    state_->check_thread();
    return *state_->value;
  }
  /// Sets the value, and wakes the tasks that it satisfies, in the order in which they began to wait. If the assignment
  /// throws, its exception comes out, and that is no change.
  void set(T value) {
    update([&value](T& old) { old = std::move(value); });
  }
  /// Calls `change(T&)`, which changes the value in place, and then does what `set` does. If `change` throws, its
  /// exception comes out, and that is no change, even if the value is another one by then.
  template <class F>
  void update(F&& change);

  /// Waits until the value satisfies `predicate(const T&)`, and gives a copy of that value: `co_await
  /// watch.wait(full)`. Does not wait if the value satisfies it already. The predicate lives as long as the wait.
  /// Throws what the predicate or the copy throws, and `Cancelled` if the task is asked to end before the value
  /// satisfies it.
  template <class Predicate>
  detail::WatchAwait<T> wait(Predicate&& predicate);

  class Reader;
  /// Returns a reader, for which the present value is no change.
  Reader reader();

 private:
  const std::shared_ptr<detail::WatchState<T>> state_;  // counted, because a Reader may outlive the Watch
};

/// Reads the value of a `Watch` whenever it has changed. It can be moved, also while a task awaits its `next`. If it
/// outlives the Watch, `next` throws `InvalidState`, and so it does if the reader was moved from.
///
///     auto reader = temperature.reader();
///     for (;;) show(co_await reader.next());
template <class T>
class [[nodiscard]] Watch<T>::Reader {
 public:
  /// Waits until the value has changed since this reader gave it last or, if it gave none, since it was made. Gives a
  /// copy of the newest value: there may have been others in between. Throws what the copy throws, and `Cancelled` if
  /// the task is asked to end before a change. No change is lost by that, nor if the task is aborted: the next await
  /// gives it.
  detail::WatchAwait<T> next();

 private:
  friend Watch;
  class Position;
  explicit Reader(std::shared_ptr<detail::WatchState<T>> state)
      : position_(std::make_shared<Position>(state->version)), state_(std::move(state)) {}

  std::shared_ptr<Position> position_;  // counted, because a wait may outlive the reader
  std::shared_ptr<detail::WatchState<T>> state_;
};

// Implementation

namespace detail {

/// Says for which values a wait waits.
template <class T>
class WatchCriterion {
 public:
  virtual ~WatchCriterion() = default;
  /// Returns true if this version of the value is the one that is waited for. `is_change` is true if the value has
  /// changed since the wait began. May run code of the user's.
  virtual bool is_met(const T& value, std::uint64_t version, bool is_change) = 0;
  /// Called when a wait has got this version.
  virtual void given(std::uint64_t) noexcept {}
  /// Called if the task has not picked it up, for example because it was aborted.
  virtual void given_back(std::uint64_t) noexcept {}
};

template <class T, class F>
class WatchPredicate final : public WatchCriterion<T> {
 public:
  template <class G>
  explicit WatchPredicate(std::in_place_t, G&& predicate) : predicate_(std::forward<G>(predicate)) {}
  bool is_met(const T& value, std::uint64_t, bool) override { return static_cast<bool>(predicate_(value)); }

 private:
  F predicate_;
};

template <class T>
class WatchWait;

/// The value of a Watch and the waits for it.
template <class T>
struct WatchState {
  explicit WatchState(T&& its_value) : value(std::move(its_value)) {}

  /// Stands on the stack while code of the user's looks at the value or changes it. Nobody may change it meanwhile.
  class InUse {
   public:
    explicit InUse(WatchState& state) noexcept : state_(state), was_in_use_(std::exchange(state.is_in_use, true)) {}
    ~InUse() {
      state_.is_in_use = was_in_use_;
      state_.destroy_value_if_over();
    }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    WatchState& state_;
    const bool was_in_use_;
  };

  void check_thread() const { waiters.check_thread(); }
  void check_exists() const {
    if (is_over) throw InvalidState("the Watch that is awaited has been destroyed");
  }
  /// Called when the value has changed: wakes the waits that it satisfies. A wait may end while another one is judged.
  void judge_all() noexcept;
  /// Called when the Watch is destroyed.
  void end() noexcept {
    waiters.check_thread_in_destructor();
    is_over = true;
    waiters.abandon_all();
    destroy_value_if_over();
  }
  void destroy_value_if_over() noexcept {
    if (is_over && !is_in_use) value.reset();
  }

  std::optional<T> value;     // empty if the Watch has been destroyed
  std::uint64_t version = 0;  // how often the value has changed
  bool is_in_use = false;
  bool is_over = false;
  WaitList waiters;
};

template <class T>
class WatchWait final : public FailingWaiter {
 public:
  WatchWait(std::shared_ptr<WatchState<T>> state, std::shared_ptr<WatchCriterion<T>> criterion, Chain& chain) noexcept
      : FailingWaiter(Kind::watch, chain), state_(std::move(state)), criterion_(std::move(criterion)) {}
  ~WatchWait() {
    if (value_) criterion_->given_back(version_);
  }

  bool await_ready() {
    state_->check_thread();
    chain_->check_earlier_awaits();
    state_->check_exists();
    const typename WatchState<T>::InUse in_use(*state_);
    take_if_met(false);
    if (!value_) state_->check_exists();  // the predicate may have destroyed the Watch
    return value_.has_value();
  }
  void await_suspend(std::coroutine_handle<>) { suspend(state_->waiters.list()); }
  T await_resume() {
    resumed();
    T value(std::move(*value_));
    value_.reset();
    return value;
  }
  void throw_failure() override { std::rethrow_exception(error_); }

  /// Called when the value has changed. Ends the wait if the value satisfies it, or if the predicate throws. Code of
  /// the user's may end the wait meanwhile, and may ask to destroy the frame in which it stands: a Pin keeps the frame.
  void judge() noexcept {
    const Pin pin(*chain_);
    try {
      take_if_met(true);
    } catch (...) {
      error_ = std::current_exception();
    }
    if (!linked()) return;
    if (error_) {
      wake_failed();
    } else if (value_) {
      wake();
    }
  }

 private:
  void take_if_met(bool is_change) {
    const T& value = *state_->value;
    if (!criterion_->is_met(value, state_->version, is_change)) return;
    value_.emplace(value);
    version_ = state_->version;
    criterion_->given(version_);
  }

  const std::shared_ptr<WatchState<T>> state_;
  const std::shared_ptr<WatchCriterion<T>> criterion_;
  std::optional<T> value_;  // until the task picks it up
  std::uint64_t version_ = 0;
  std::exception_ptr error_;
};

/// The awaitable that `Watch::wait` and `Reader::next` return.
template <class T>
class [[nodiscard("co_await it")]] WatchAwait {
 public:
  WatchAwait(std::shared_ptr<WatchState<T>> state, std::shared_ptr<WatchCriterion<T>> criterion) noexcept
      : state_(std::move(state)), criterion_(std::move(criterion)) {}
  WatchWait<T> awaited_by(Chain& chain) const noexcept { return WatchWait<T>(state_, criterion_, chain); }

 private:
  std::shared_ptr<WatchState<T>> state_;
  std::shared_ptr<WatchCriterion<T>> criterion_;
};

template <class T>
void WatchState<T>::judge_all() noexcept {
  List left;
  left.splice_back(waiters.list());
  while (!left.empty()) {
    auto& wait = WaitList::of<WatchWait<T>>(left.pop_front());
    waiters.list().push_back(wait);
    wait.judge();
    if (!is_over) continue;
    waiters.list().splice_back(left);
    waiters.abandon_all();
  }
}

}  // namespace detail

/// How far a reader has read.
template <class T>
class Watch<T>::Reader::Position final : public detail::WatchCriterion<T> {
 public:
  explicit Position(std::uint64_t version) noexcept : seen_(version) {}
  bool is_met(const T&, std::uint64_t version, bool is_change) override { return is_change || version != seen_; }
  void given(std::uint64_t version) noexcept override { seen_ = version; }
  void given_back(std::uint64_t version) noexcept override {
    if (seen_ == version) --seen_;
  }

 private:
  std::uint64_t seen_;  // the last version that was given
};

template <class T>
template <class F>
void Watch<T>::update(F&& change) {
  const std::shared_ptr<detail::WatchState<T>> state = state_;  // kept, because a predicate may destroy the Watch
  state->check_thread();
  if (state->is_in_use) throw InvalidState("a Watch cannot be changed while its value is judged or changed");
  const typename detail::WatchState<T>::InUse in_use(*state);
  change(*state->value);
  ++state->version;
  if constexpr (std::is_copy_constructible_v<T>) state->judge_all();  // if not, nobody can wait
}

template <class T>
template <class Predicate>
detail::WatchAwait<T> Watch<T>::wait(Predicate&& predicate) {
  using F = std::decay_t<Predicate>;
  static_assert(std::is_copy_constructible_v<T>, "a wait gives a copy of the value: watch a std::shared_ptr");
  static_assert(std::is_invocable_v<F&, const T&>, "a predicate takes a const T&, and returns a bool");
  detail::check_awaited_callable<Predicate>();
  state_->check_thread();
  using Made = detail::WatchPredicate<T, F>;
  return {state_, std::make_shared<Made>(std::in_place, std::forward<Predicate>(predicate))};
}

template <class T>
typename Watch<T>::Reader Watch<T>::reader() {
  static_assert(std::is_copy_constructible_v<T>, "a reader gives a copy of the value: watch a std::shared_ptr");
  state_->check_thread();
  return Reader(state_);
}

template <class T>
detail::WatchAwait<T> Watch<T>::Reader::next() {
  if (!state_) throw InvalidState("this reader of a Watch was moved from");
  state_->check_thread();
  return {state_, position_};
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
