// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/ring.hpp>

namespace errand {

/// Items on their way between tasks of one App, first in, first out. Getters and putters are served in the order in
/// which they came; an item that was handed to a getter is its own, whatever happens before it resumes.
///
/// Destroying it while someone waits makes their awaits throw `InvalidState`. An item's move and its destructor may use
/// the queue. Every member throws `WrongThread` if a task waits whose App another thread is inside of.
///
/// A burst of items leaves room for a few: the rest of its memory is given back as they are taken.
///
///     errand::Queue<Job> jobs(100);
///     co_await jobs.put(job);             // waits while there are 100
///     Job next = co_await jobs.get();     // waits while there is none
template <class T>
class Queue {
 public:
  /// For so many items; 0: unbounded.
  explicit Queue(std::size_t capacity = 0) noexcept
      : capacity_(capacity > 0 ? capacity : std::numeric_limits<std::size_t>::max()) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// The destructor of an item that is left may still use the queue, which is closed.
  ~Queue() {
    check_thread_in_destructor();
    capacity_ = put_limit_ = 0;
    items_.clear();
  }

  class Put;
  class Get;
  class Join;

  /// `co_await queue.put(item)` returns once there was room for it. Throws `QueueClosed`, and `Cancelled` where the
  /// task is asked to end; the item is destroyed then.
  Put put(T item) { return Put(*this, std::move(item)); }
  /// `co_await queue.get()` gives the next item. Throws `QueueClosed` where the queue is closed and empty, and
  /// `Cancelled` where the task is asked to end; nothing is lost then.
  detail::WaitOn<Get, Queue> get() noexcept { return *this; }
  /// False where there is no room, or the queue is closed.
  bool try_put(T item);
  /// Empty where there is no item that is not somebody's.
  std::optional<T> try_get();

  /// The items that are waiting to be taken.
  std::size_t size() const {
    check_thread();
    return items_.size();
  }
  /// Whether no item is waiting to be taken.
  bool empty() const {
    check_thread();
    return items_.empty();
  }
  /// Whether `close` was called.
  bool closed() const {
    check_thread();
    return is_closed();
  }
  /// Takes no more items: later puts and those that wait get `QueueClosed`, as do the getters once it is empty.
  void close();

  /// Says that an item that was taken has been dealt with. Throws `InvalidState` where that is more often than items
  /// were put.
  void task_done();
  /// `co_await queue.join()` returns once `task_done` was called for every item that was put. Throws `Cancelled` where
  /// the task is asked to end.
  detail::WaitOn<Join, Queue> join() {
    check_thread();
    return *this;
  }

 private:
  void check_thread() const;
  void check_thread_in_destructor() const noexcept;
  bool is_closed() const noexcept { return capacity_ == 0; }
  bool put_now(T& item);
  bool put_specially(T& item);
  bool put_further(T& item);
  void give_to_first(T&& item);
  template <class Use>
  decltype(auto) take_first(Use use);
  T take();
  void let_in();
  ERRAND_NOINLINE void give_back_room() noexcept {
    items_.give_back();
    put_limit_ = 0;  // the next put finds out how much room there is now
  }
  [[noreturn]] ERRAND_COLD static void throw_closed() { throw QueueClosed(); }

  std::size_t capacity_;           // 0 once it is closed
  std::size_t put_limit_ = 0;      // below so many items a put only adds its own; 0 where a getter may be waiting
  bool putters_may_wait_ = false;  // a get has to look
  std::size_t unfinished_ = 0;
  std::conditional_t<detail::is_moved_silently<T>, detail::Ring<T>, detail::Nodes<T>> items_;
  detail::WaitList getters_;
  detail::WaitList putters_;
  detail::WaitList joiners_;
};

// Implementation

/// What `put` gives: the item, until that is awaited. Awaited by a name, it puts a copy each time or, where there can
/// be none, the item itself, once.
template <class T>
class [[nodiscard("co_await it")]] Queue<T>::Put {
 public:
  Put(Queue& queue, T&& item) : queue_(&queue), item_(std::move(item)) {}

  class Wait;
  Wait awaited_by(detail::PromiseBase&) && { return Wait(queue(), std::move(item_)); }
  template <class U = T>
    requires std::is_copy_constructible_v<U>
  Wait awaited_by(detail::PromiseBase&) const& {
    return Wait(queue(), T(item_));
  }
  template <class U = T>
    requires(!std::is_copy_constructible_v<U>)
  Wait awaited_by(detail::PromiseBase&) & {
    Queue& into = queue();
    queue_ = nullptr;
    return Wait(into, std::move(item_));
  }

 private:
  Queue& queue() const {
    if (!queue_) throw InvalidState("the item of this put has been given away already");
    return *queue_;
  }

  Queue* queue_;
  T item_;
};

template <class T>
class Queue<T>::Put::Wait : public detail::Waiter {
 public:
  Wait(Queue& queue, T&& item) : Waiter(detail::Kind::queue), queue_(queue), is_in_(queue.put_now(item)) {
    if (!is_in_) item_.emplace(std::move(item));
  }
  ~Wait() { leave(); }  // before the item goes, whose destructor may use the queue

  bool await_ready() const noexcept { return is_in_; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    queue_.putters_may_wait_ = true;
    suspend(awaiting.promise(), queue_.putters_.list());
  }
  void await_resume() {
    if (is_in_) return;
    resumed();
    throw_closed();
  }

 private:
  friend Queue;

  Queue& queue_;
  bool is_in_;
  std::optional<T> item_;  // where there was no room for it
};

template <class T>
class Queue<T>::Get : public detail::Waiter {
 public:
  explicit Get(Queue& queue) noexcept : Waiter(detail::Kind::queue), queue_(queue) {}
  /// What was handed over and not picked up, because the task was aborted, is the next one's.
  ~Get() {
    if (item_) [[unlikely]]
      give_back();
  }

  bool await_ready() const {
    if (!queue_.items_.empty()) return true;
    if (queue_.is_closed()) throw_closed();
    return false;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    queue_.put_limit_ = 0;
    suspend(awaiting.promise(), queue_.getters_.list());
  }
  T await_resume() { return chain_ ? take_handed() : queue_.take(); }

 private:
  friend Queue;
  T take_handed() {
    chain_->check_resumed();
    if (!item_) throw_closed();
    T item(std::move(*item_));
    item_.reset();
    leave();
    return item;
  }
  ERRAND_NOINLINE void give_back() {
    if (is_broken) return;
    try {
      if (queue_.getters_.empty()) {
        queue_.items_.push_front(std::move(*item_));
      } else {
        queue_.give_to_first(std::move(*item_));
      }
    } catch (...) {  // it cannot be moved, or there is no memory: it goes with the getter
    }
  }

  Queue& queue_;
  std::optional<T> item_;
};

template <class T>
class Queue<T>::Join : public detail::Waiter {
 public:
  explicit Join(Queue& queue) noexcept : Waiter(detail::Kind::queue), queue_(queue) {}

  bool await_ready() const noexcept { return queue_.unfinished_ == 0; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    suspend(awaiting.promise(), queue_.joiners_.list());
  }
  void await_resume() { resumed(); }

 private:
  Queue& queue_;
};

/// False where there is no room. Throws `QueueClosed`.
template <class T>
inline bool Queue<T>::put_now(T& item) {
  if (items_.size() >= put_limit_) [[unlikely]]
    return put_specially(item);
  items_.push_back_within_room(std::move(item));
  ++unfinished_;
  return true;
}

template <class T>
ERRAND_NOINLINE bool Queue<T>::put_specially(T& item) {
  if (getters_.empty() || !getters_.waits_on_this_thread()) [[unlikely]]
    return put_further(item);
  give_to_first(std::move(item));
  ++unfinished_;
  return true;
}

template <class T>
ERRAND_NOINLINE bool Queue<T>::put_further(T& item) {
  check_thread();
  if (!getters_.empty()) {  // of an App that no thread is inside of
    give_to_first(std::move(item));
  } else if (items_.size() < capacity_) {
    items_.push_back(std::move(item));
    const std::size_t room = items_.room();
    put_limit_ = capacity_ < room ? capacity_ : room;
  } else if (is_closed()) {
    throw_closed();
  } else {
    return false;
  }
  ++unfinished_;
  return true;
}

/// To the getter that has waited longest. It does not stand in the list while the item is moved, which may use the
/// queue; if the move throws, it is the first again. If the move has ended its wait, the item is with it all the same,
/// and goes on from there.
template <class T>
ERRAND_INLINE void Queue<T>::give_to_first(T&& item) {
  Get& first = getters_.template first<Get>();
  if constexpr (!detail::is_moved_silently<T>) {
    const detail::WaitList::Apart apart(getters_, first);
    first.item_.emplace(std::move(item));
    if (apart.has_left()) return;
  } else {
    first.item_.emplace(std::move(item));
  }
  getters_.hand_over(first);
}

/// Gives the first item to `use(T&&)`. The first putter comes in before: if its item cannot be moved, nothing is
/// changed.
template <class T>
template <class Use>
inline decltype(auto) Queue<T>::take_first(Use use) {
  if (putters_may_wait_) [[unlikely]]
    let_in();
  if (items_.has_spare_room()) [[unlikely]]
    give_back_room();
  return items_.take_front(std::move(use));
}

template <class T>
inline T Queue<T>::take() {
  return take_first([](T&& item) { return T(std::move(item)); });
}

/// The item of the putter that has waited longest takes the room that there will be.
template <class T>
ERRAND_NOINLINE void Queue<T>::let_in() {
  putters_may_wait_ = !putters_.empty();
  if (!putters_may_wait_ || items_.size() > capacity_) return;
  putters_.check_thread();
  auto& first = putters_.template first<typename Put::Wait>();
  bool has_left = false;
  if constexpr (!detail::is_moved_silently<T>) {
    const detail::WaitList::Apart apart(putters_, first);
    items_.push_back(std::move(*first.item_));
    has_left = apart.has_left();
  } else {
    items_.push_back(std::move(*first.item_));
  }
  ++unfinished_;
  if (has_left) return;  // the move has ended its wait
  first.is_in_ = true;
  first.wake();
}

template <class T>
bool Queue<T>::try_put(T item) {
  check_thread();
  return !is_closed() && put_now(item);
}

template <class T>
std::optional<T> Queue<T>::try_get() {
  check_thread();
  std::optional<T> taken;  // the only one returned, so that it is not moved on the way out
  if (!items_.empty()) take_first([&taken](T&& item) { taken.emplace(std::move(item)); });
  return taken;
}

template <class T>
void Queue<T>::check_thread() const {
  getters_.check_thread();
  putters_.check_thread();
  joiners_.check_thread();
}

template <class T>
void Queue<T>::check_thread_in_destructor() const noexcept {
  getters_.check_thread_in_destructor();
  putters_.check_thread_in_destructor();
  joiners_.check_thread_in_destructor();
}

template <class T>
void Queue<T>::close() {
  check_thread();
  capacity_ = put_limit_ = 0;
  putters_.wake_all();
  getters_.wake_all();
}

template <class T>
void Queue<T>::task_done() {
  check_thread();
  if (unfinished_ == 0) throw InvalidState("task_done was called more often than items were put into the queue");
  if (--unfinished_ == 0) joiners_.wake_all();
}

}  // namespace errand
