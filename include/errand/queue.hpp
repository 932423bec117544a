// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/owner.hpp>
#include <errand/detail/ring.hpp>
#include <errand/detail/storage.hpp>

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
  static_assert(detail::keeps_alignment<T>,
                "the alignment of an item may not be above the default one: put a std::unique_ptr");

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
    while (returned_) delete remove_returned();
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
    return count();
  }
  /// Whether no item is waiting to be taken.
  bool empty() const {
    check_thread();
    return is_empty();
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
  /// An item that a getter gave back, and its number.
  struct Returned {
    Returned(std::size_t its_number, T&& its_item) : number(its_number), item(std::move(its_item)) {}
    std::size_t number;
    T item;
    Returned* next = nullptr;
  };

  void check_thread() const;
  void check_thread_in_destructor() const noexcept;
  bool is_closed() const noexcept { return capacity_ == 0; }
  bool is_empty() const noexcept { return items_.empty() && !returned_; }
  std::size_t count() const noexcept { return items_.size() + returned_size_; }
  bool put_now(T& item);
  bool put_beyond_limit(T& item);
  bool put_without_getter(T& item);
  void give_to_first(T&& item, std::size_t number);
  void take(std::optional<T>& item, Get* getter);
  void take_returned(std::optional<T>& item, Get* getter);
  void give_back(std::size_t number, T&& item);
  void let_in();
  void insert_returned(Returned& item) noexcept;
  Returned* remove_returned() noexcept {
    --returned_size_;
    return std::exchange(returned_, returned_->next);
  }
  ERRAND_NOINLINE void give_back_room() noexcept {
    items_.give_back();
    put_limit_ = 0;  // the next put finds out how much room there is now
  }
  [[noreturn]] ERRAND_COLD static void throw_closed() { throw QueueClosed(); }

  std::size_t capacity_;       // 0 once it is closed
  std::size_t put_limit_ = 0;  // below so many items a put only adds its own; 0 if a getter may be waiting
  bool get_looks_ = false;     // a putter may be waiting, an item was returned, or there is room to give back
  std::size_t unfinished_ = 0;
  std::conditional_t<detail::is_moved_silently<T>, detail::Ring<T>, detail::Nodes<T>> items_;
  Returned* returned_ = nullptr;  // the first of those that stand before `items_`, by number
  std::size_t returned_size_ = 0;
  detail::WaitList getters_;
  detail::WaitList putters_;
  detail::WaitList joiners_;
};

// Implementation

/// What `put` gives: the item, until that is awaited. Awaited by a name, it puts a copy each time or, if there can be
/// none, the item itself, once. The wait has the item, because the `Put` may go while it waits.
template <class T>
class [[nodiscard("co_await it")]] Queue<T>::Put {
 public:
  Put(Queue& queue, T&& item) : queue_(&queue), item_(std::move(item)) {}

  class Wait;
  Wait awaited_by(detail::Chain& chain) && { return Wait(queue(), std::move(item_), chain); }
  Wait awaited_by(detail::Chain& chain) const&
    requires std::is_copy_constructible_v<T>
  {
    return Wait(queue(), T(item_), chain);
  }
 Wait awaited_by(detail::Chain& chain) &
     requires(!std::is_copy_constructible_v<T>) {
       Queue& into = queue();
       queue_ = nullptr;
       return Wait(into, std::move(item_), chain);
     }

     private : Queue& queue() const {
    if constexpr (!std::is_copy_constructible_v<T>) {
      if (!queue_) throw InvalidState("the item of this put has been given away already");
    }
    return *queue_;
  }

  Queue* queue_;
  T item_;
};

template <class T>
class Queue<T>::Put::Wait : public detail::Waiter {
 public:
  Wait(Queue& queue, T&& item, detail::Chain& chain)
      : Waiter(detail::Kind::queue, chain), queue_(queue), item_(std::move(item)) {}
  ~Wait() { leave(); }  // before the item goes, whose destructor may use the queue

  ERRAND_INLINE bool await_ready() {
    chain_->throw_failed();
    return queue_.put_now(item_);
  }
  void await_suspend(std::coroutine_handle<>) {
    queue_.get_looks_ = true;
    suspend(queue_.putters_.list());
  }
  void await_resume() { resumed(); }

 private:
  friend Queue;

  Queue& queue_;
  T item_;
};

template <class T>
class Queue<T>::Get : public detail::Waiter {
 public:
  Get(Queue& queue, detail::Chain& chain) noexcept : Waiter(detail::Kind::queue, chain), queue_(queue) {}
  /// An item that was handed over or kept, and not picked up because the task was aborted, goes back.
  ~Get() {
    if (linked()) [[unlikely]]
      give_back();
  }

  ERRAND_INLINE bool await_ready() {
    chain_->throw_failed();
    if (!queue_.is_empty()) {
      queue_.take(item_, this);
      if constexpr (!std::is_nothrow_move_constructible_v<T>) keep();
      return true;
    }
    if (queue_.is_closed()) throw_closed();
    return false;
  }
  void await_suspend(std::coroutine_handle<>) {
    queue_.put_limit_ = 0;
    suspend(queue_.getters_.list());
  }
  T await_resume() {
    Suspension::resumed();
    T item(std::move(*item_));
    leave();
    return item;
  }
  /// Called by a race after `await_ready` has taken an item: it goes back if it is not picked up.
  void keep() noexcept {
    if (linked()) return;
    number_ = queue_.items_.front_number() - 1;
    queue_.getters_.keep(*this);
  }

 private:
  friend Queue;
  ERRAND_NOINLINE void give_back() noexcept {
    leave();
    if (!item_) return;
    try {
      queue_.give_back(number_, std::move(*item_));
    } catch (...) {  // it cannot be moved, or there is no memory: it goes with the getter
    }
  }

  Queue& queue_;
  std::optional<T> item_;
  std::size_t number_;  // of an item that may be given back: its place in the order of all items
};

template <class T>
class Queue<T>::Join : public detail::Waiter {
 public:
  Join(Queue& queue, detail::Chain& chain) noexcept : Waiter(detail::Kind::queue, chain), queue_(queue) {}

  bool await_ready() const noexcept { return queue_.unfinished_ == 0; }
  void await_suspend(std::coroutine_handle<>) { suspend(queue_.joiners_.list()); }
  void await_resume() { resumed(); }

 private:
  Queue& queue_;
};

/// Returns false if there is no room. Throws `QueueClosed`.
template <class T>
inline bool Queue<T>::put_now(T& item) {
  if (items_.size() >= put_limit_) [[unlikely]]
    return put_beyond_limit(item);
  items_.push_back_within_room(std::move(item));
  ++unfinished_;
  return true;
}

/// Called if a getter may be waiting, the queue may be full or closed, or more memory is needed.
template <class T>
ERRAND_NOINLINE bool Queue<T>::put_beyond_limit(T& item) {
  if (getters_.empty() || !getters_.waits_on_this_thread()) [[unlikely]]
    return put_without_getter(item);
  give_to_first(std::move(item), items_.skip());
  ++unfinished_;
  return true;
}

template <class T>
ERRAND_NOINLINE bool Queue<T>::put_without_getter(T& item) {
  check_thread();
  if (!getters_.empty()) {  // of an App that no thread is inside of
    give_to_first(std::move(item), items_.skip());
  } else if (count() < capacity_) {
    items_.push_back(std::move(item));
    const std::size_t room = items_.room();
    put_limit_ = returned_ ? 0 : capacity_ < room ? capacity_ : room;
    get_looks_ |= items_.may_get_spare_room();
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
ERRAND_INLINE void Queue<T>::give_to_first(T&& item, std::size_t number) {
  Get& first = getters_.template first<Get>();
  first.number_ = number;
  if constexpr (!detail::is_moved_silently<T>) {
    const detail::WaitList::Apart apart(getters_, first);
    first.item_.emplace(std::move(item));
    if (apart.has_left()) return;
  } else {
    first.item_.emplace(std::move(item));
  }
  getters_.hand_over(first);
}

/// Takes the next item, for a getter that does not wait if there is one. The first putter comes in before: if its item
/// cannot be moved, nothing is changed.
template <class T>
inline void Queue<T>::take(std::optional<T>& item, Get* getter) {
  if (get_looks_) [[unlikely]] {
    if (returned_) return take_returned(item, getter);
    let_in();
    if (items_.has_spare_room()) give_back_room();
  }
  items_.take_front([&item](T&& first) { item.emplace(std::move(first)); });
}

template <class T>
ERRAND_NOINLINE void Queue<T>::take_returned(std::optional<T>& item, Get* getter) {
  let_in();
  detail::Owner<Returned> first(remove_returned());  // while the item is moved, which may use the queue
  try {
    item.emplace(std::move(first->item));
  } catch (...) {
    insert_returned(*first.release());
    throw;
  }
  if (!getter) return;
  getter->number_ = first->number;
  getters_.keep(*getter);
}

/// An item that was handed to a getter, which did not take it, goes to the next getter, or back to its place.
template <class T>
ERRAND_NOINLINE void Queue<T>::give_back(std::size_t number, T&& item) {
  if (!getters_.empty()) return give_to_first(std::move(item), number);
  insert_returned(*new Returned(number, std::move(item)));
}

template <class T>
void Queue<T>::insert_returned(Returned& item) noexcept {
  Returned** place = &returned_;
  while (*place && (*place)->number < item.number) place = &(*place)->next;
  item.next = std::exchange(*place, &item);
  ++returned_size_;
  get_looks_ = true;
  put_limit_ = 0;
}

/// The item of the putter that has waited longest takes the room that there will be.
template <class T>
ERRAND_NOINLINE void Queue<T>::let_in() {
  get_looks_ = !putters_.empty() || returned_ || items_.may_get_spare_room();
  if (putters_.empty() || count() > capacity_) return;
  putters_.check_thread();
  auto& first = putters_.template first<typename Put::Wait>();
  if constexpr (!detail::is_moved_silently<T>) {
    bool has_left = false;
    {
      const detail::WaitList::Apart apart(putters_, first);
      items_.push_back(std::move(first.item_));
      has_left = apart.has_left();
    }
    ++unfinished_;
    if (has_left) return;  // the move has ended its wait
  } else {
    items_.push_back(std::move(first.item_));
    ++unfinished_;
  }
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
  std::optional<T> item;  // the only one returned, so that it is not moved on the way out
  if (!is_empty()) take(item, nullptr);
  return item;
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
  while (!putters_.empty()) putters_.template first<typename Put::Wait>().wake_failed();
  while (!getters_.empty()) getters_.template first<Get>().wake_failed();
}

template <class T>
void Queue<T>::task_done() {
  check_thread();
  if (unfinished_ == 0) throw InvalidState("task_done was called more often than items were put into the queue");
  if (--unfinished_ == 0) joiners_.wake_all();
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
