// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/base/item_carrier.hpp>
#include <errand/detail/base/ring.hpp>
#include <errand/detail/base/storage.hpp>

namespace errand {

/// Passes items between tasks of one App, first in, first out. Getters and putters are served in the order in which
/// they came. An item that was handed to a getter stays with it, even if the task of the getter is asked to end before
/// it resumes. If that task is aborted, the item goes to the next getter, or back to its place in the queue.
///
/// If the queue is destroyed while tasks wait, their awaits throw `InvalidState`. Every member throws `WrongThread` if
/// a task is waiting and another thread is inside the App of that task. The move and the destructor of an item may use
/// the queue. When a burst of items has been taken, the queue gives its memory back, except the room for a few items.
///
///     errand::Queue<Job> jobs(100);
///     co_await jobs.put(job);             // waits while there are 100
///     Job next = co_await jobs.get();     // waits while there is none
template <class T>
class Queue {
  static_assert(detail::keeps_alignment<T>,
                "the alignment of an item may not be above the default one: put a std::unique_ptr");

 public:
  /// Makes a queue with room for `capacity` items. With 0 there is no limit.
  explicit Queue(std::size_t capacity = 0) noexcept : capacity_(capacity > 0 ? capacity : unlimited) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Destroys the items that are left. Their destructors may still use the queue, which is closed then.
  ~Queue() {
    check_thread_in_destructor();
    put_limit_ = 0;
    is_closed_ = true;
    while (!returned_.empty()) delete &returned_.pop_front();
    if constexpr (!Carrier::is_silent) {
      while (!items_.empty()) delete items_.take_front([](Node* node) { return node; });
    }
  }

  class Put;
  class Get;
  class Next;
  class Join;

  /// Waits until there is room for the item, and puts it: `co_await queue.put(item)`. Throws `QueueClosed` if the queue
  /// is closed, and `Cancelled` if the task is asked to end before there is room. In both cases the item is destroyed.
  Put put(T item) { return Put(*this, std::move(item)); }
  /// Waits until there is an item for this task, and gives it: `T item = co_await queue.get()`. Throws `QueueClosed` if
  /// the queue is closed and empty, and `Cancelled` if the task is asked to end before it has an item.
  detail::WaitOn<Get, Queue> get() noexcept { return *this; }
  /// Waits like `get`, but gives nullopt if the queue is closed and empty:
  /// `while (std::optional<T> item = co_await queue.next())`. Throws `Cancelled` as `get` does.
  detail::WaitOn<Next, Queue> next() noexcept { return *this; }
  /// Puts the item if there is room for it, without waiting. Returns false if there is no room, or if the queue is
  /// closed; in both cases the item is destroyed.
  bool try_put(T item);
  /// Returns the next item, or nullopt if the queue is empty. Never takes an item that was already handed to a waiting
  /// getter.
  std::optional<T> try_get();

  /// Returns the number of items that can be taken.
  std::size_t size() const {
    check_thread();
    return count();
  }
  /// Returns true if no item can be taken.
  bool empty() const {
    check_thread();
    return is_empty();
  }
  /// Returns for how many items there is room; 0 if there is no limit.
  std::size_t capacity() const {
    check_thread();
    return capacity_ < unlimited ? capacity_ : 0;
  }
  /// Returns true if there is no room for another item.
  bool full() const {
    check_thread();
    return count() >= capacity_;
  }
  /// Returns true if `close` was called.
  bool closed() const {
    check_thread();
    return is_closed_;
  }
  /// Closes the queue: puts that wait, and later ones, throw `QueueClosed`. Gets still give the items that are left,
  /// and throw `QueueClosed` when there is none.
  void close();

  /// Notes that an item has been dealt with; see `join`. Throws `InvalidState` if it is called more often than items
  /// were put.
  void task_done();
  /// Waits until `task_done` was called for every item that was put: `co_await queue.join()`. Throws `Cancelled` if the
  /// task is asked to end before that.
  detail::WaitOn<Join, Queue> join() {
    check_thread();
    return *this;
  }

 private:
  using Carrier = detail::ItemCarrier<T>;
  using Node = typename Carrier::Node;
  using Carried = typename Carrier::Carried;
  class Getter;

  void check_thread() const;
  void check_thread_in_destructor() const noexcept;
  bool is_empty() const noexcept { return items_.empty() && returned_.empty(); }
  std::size_t count() const noexcept { return items_.size() + returned_.size(); }
  bool put_if_room(Carried& item);
  bool put_in_other_cases(Carried& item);
  void give_to_first(Carried&& item, std::uint64_t number) noexcept;
  void take(Carried* item, Getter* getter);
  void take_returned(Carried* item, Getter* getter);
  void give_back(std::uint64_t number, Carried&& item);
  void let_in();
  ERRAND_NOINLINE void give_back_room() noexcept {
    items_.give_back();
    put_limit_ = 0;  // the next put finds out how much room there is now
  }
  [[noreturn]] ERRAND_COLD static void throw_closed() { throw QueueClosed(); }

  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  const std::size_t capacity_;
  std::size_t put_limit_ = 0;      // with fewer items than this a put only adds one; 0 if a getter may be waiting
  bool get_has_to_check_ = false;  // a putter may be waiting, an item was returned, or there is room to give back
  bool is_closed_ = false;
  std::size_t unfinished_ = 0;
  detail::Ring<Carried> items_;
  // Items that were handed to a getter which then did not take them. They come before `items_`.
  detail::ItemList<T> returned_;
  detail::WaitList getters_;
  detail::WaitList putters_;
  detail::WaitList joiners_;
};

// Implementation

/// The awaitable that `put` returns. It holds the item until the await begins. Then the wait holds it, because the
/// `Put` may be destroyed during the wait. If you give the `Put` a name, you may await it several times: each await
/// puts a copy of the item. If the item cannot be copied, the first await puts the item itself, and later ones throw
/// `InvalidState`.
template <class T>
class [[nodiscard("co_await it")]] Queue<T>::Put {
  static constexpr bool is_copyable = std::is_copy_constructible_v<T>;
  static constexpr bool is_move_only = !is_copyable;

 public:
  Put(Queue& queue, T&& item) : queue_(&queue), item_(std::move(item)) {}

  class Wait;
  Wait awaited_by(detail::Chain& chain) && { return Wait(queue(), std::move(item_), chain); }
  Wait awaited_by(detail::Chain& chain) const&
    requires is_copyable
  {
    return Wait(queue(), T(item_), chain);
  }
  Wait awaited_by(detail::Chain& chain) &
    requires is_move_only
  {
    Queue& into = queue();
    queue_ = nullptr;
    return Wait(into, std::move(item_), chain);
  }

 private:
  Queue& queue() const {
    if constexpr (is_move_only) {
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
      : Waiter(detail::Kind::queue, chain), queue_(queue), item_(Carrier::carry(std::move(item))) {}
  ERRAND_INLINE ~Wait() {
    leave();  // before the item is destroyed, because its destructor may use the queue
    Carrier::discard(item_);
  }

  ERRAND_INLINE bool await_ready() {
    chain_->check_earlier_awaits();
    return queue_.put_if_room(item_);
  }
  void await_suspend(std::coroutine_handle<>) {
    queue_.get_has_to_check_ = true;
    suspend(queue_.putters_.list());
  }
  void await_resume() { resumed(); }

 private:
  friend Queue;

  Queue& queue_;
  Carried item_;
};

/// The wait for an item. The classes that derive from it say what they give if the queue is closed and empty.
template <class T>
class Queue<T>::Getter : public detail::Waiter {
 public:
  void await_suspend(std::coroutine_handle<>) {
    if (!queue_.getters_.empty()) [[unlikely]]
      queue_.getters_.check_thread();
    queue_.put_limit_ = 0;
    has_item_ = false;
    suspend(queue_.getters_.list());
  }
  /// Called by a race after `await_ready` has taken an item: the destructor gives it back if it is not picked up.
  void keep() noexcept {
    if (linked()) return;
    number_ = queue_.items_.front_number() - 1;
    has_item_ = true;
    queue_.getters_.keep(*this);
  }

 protected:
  Getter(detail::Kind of, Queue& queue, detail::Chain& chain) noexcept : Waiter(of, chain), queue_(queue) {
    if constexpr (!Carrier::is_silent) item_ = nullptr;
  }
  /// Gives back an item that was handed to this wait and not picked up, for example because the task was aborted.
  ERRAND_INLINE ~Getter() {
    if (linked()) [[unlikely]]
      give_back();
    Carrier::discard(item_);
  }

  /// Takes an item if there is one. Called by `await_ready`.
  ERRAND_INLINE bool take_if_there() {
    chain_->check_earlier_awaits();
    if (queue_.is_empty()) return false;
    queue_.take(std::addressof(item_), this);
    if constexpr (!std::is_nothrow_move_constructible_v<T>) keep();
    return true;
  }
  /// Returns the item, as an object of type `Item` that is made of it. Called by `await_resume`.
  template <class Item>
  Item pick_up() {
    Item item(std::move(Carrier::item_of(item_)));  // if this throws, the item is given back
    leave();
    Carrier::discard(item_);
    return item;
  }
  ERRAND_NOINLINE void give_back() noexcept {
    leave();
    if (!has_item_) return;
    try {
      queue_.give_back(number_, Carrier::take_over(item_));
    } catch (...) {  // there is no memory to keep the item, which is lost
    }
  }
  /// Ends the wait, because the queue is closed.
  void end_at_close() noexcept {
    if (kind == detail::Kind::queue) {
      wake_failed();
    } else {
      wake();
    }
  }

  friend Queue;

  Queue& queue_;
  union {
    Carried item_;
  };
  // These two are set if this stands in a list, and so may have to give an item back. A `Next` always sets the first.
  bool has_item_;
  std::uint64_t number_;  // the place of the item in the order of all
};

/// The awaitable of `get`.
template <class T>
class Queue<T>::Get : public Getter {
 public:
  Get(Queue& queue, detail::Chain& chain) noexcept : Getter(detail::Kind::queue, queue, chain) {}
  ERRAND_INLINE ~Get() = default;  // GCC calls it in large files, which costs a round trip (W7) nine instructions

  ERRAND_INLINE bool await_ready() {
    if (this->take_if_there()) return true;
    if (this->queue_.is_closed_) throw_closed();
    return false;
  }
  T await_resume() {
    detail::Suspension::resumed();
    return this->template pick_up<T>();
  }
};

/// The awaitable of `next`.
template <class T>
class Queue<T>::Next : public Getter {
 public:
  Next(Queue& queue, detail::Chain& chain) noexcept : Getter(detail::Kind::queue_next, queue, chain) {}

  bool await_ready() {
    this->has_item_ = this->take_if_there();
    return this->has_item_ || this->queue_.is_closed_;
  }
  std::optional<T> await_resume() {
    detail::Suspension::resumed();
    if (!this->has_item_) return std::nullopt;
    return this->template pick_up<std::optional<T>>();
  }
  /// Called by a race, like `Getter::keep`. If the queue has ended, there is nothing to keep.
  void keep() noexcept {
    if (this->has_item_) Getter::keep();
  }
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

/// Puts the item, or hands it to a getter. Returns false if there is no room. Throws `QueueClosed`.
template <class T>
ERRAND_INLINE bool Queue<T>::put_if_room(Carried& item) {
  if (items_.size() < put_limit_) {
    items_.push_back_within_room(Carrier::take_over(item));
  } else if (!getters_.empty() && getters_.waits_on_this_thread()) {
    give_to_first(Carrier::take_over(item), items_.skip());
  } else {
    return put_in_other_cases(item);
  }
  ++unfinished_;
  return true;
}

/// The part of `put_if_room` for all cases but the two frequent ones.
template <class T>
ERRAND_NOINLINE bool Queue<T>::put_in_other_cases(Carried& item) {
  check_thread();
  if (!getters_.empty()) {  // no thread is inside its App, or `check_thread` had thrown
    give_to_first(Carrier::take_over(item), items_.skip());
  } else if (is_closed_) {
    throw_closed();
  } else if (count() < capacity_) {
    items_.make_room();
    items_.push_back_within_room(Carrier::take_over(item));
    const std::size_t room = items_.room();
    put_limit_ = !returned_.empty() ? 0 : capacity_ < room ? capacity_ : room;
    get_has_to_check_ |= items_.may_get_spare_room();
  } else {
    return false;
  }
  ++unfinished_;
  return true;
}

/// Hands the item to the getter that has waited longest.
template <class T>
ERRAND_INLINE void Queue<T>::give_to_first(Carried&& item, std::uint64_t number) noexcept {
  Getter& first = getters_.template first<Getter>();
  first.number_ = number;
  first.has_item_ = true;
  std::construct_at(std::addressof(first.item_), std::move(item));
  getters_.hand_over(first);
}

/// Moves the next item to `item`, which points to memory without an object. There must be an item. Before that, lets in
/// the item of the first putter that waits. `getter` is null if `try_get` calls this. Throws `std::bad_alloc`; nothing
/// is changed then.
template <class T>
inline void Queue<T>::take(Carried* item, Getter* getter) {
  if (get_has_to_check_) [[unlikely]] {
    if (!returned_.empty()) return take_returned(item, getter);
    let_in();
    if (items_.has_spare_room()) give_back_room();
  }
  items_.take_front([item](Carried&& first) { std::construct_at(item, std::move(first)); });
}

/// The part of `take` for an item that a getter has given back. The new getter keeps the number of the item, in case
/// the item is given back again.
template <class T>
ERRAND_NOINLINE void Queue<T>::take_returned(Carried* item, Getter* getter) {
  let_in();
  Node* const first = &returned_.pop_front();
  const std::uint64_t number = first->number;
  if constexpr (Carrier::is_silent) {
    std::construct_at(item, std::move(first->value));
    delete first;
  } else {
    *item = first;
  }
  if (!getter) return;
  getter->number_ = number;
  getter->has_item_ = true;
  getters_.keep(*getter);
}

/// Gives an item that was taken out to the next getter or, if none waits, puts it back to its place. Throws
/// `std::bad_alloc` if the item needs a node and there is no memory for one.
template <class T>
ERRAND_NOINLINE void Queue<T>::give_back(std::uint64_t number, Carried&& item) {
  if (!getters_.empty()) return give_to_first(std::move(item), number);
  Node* node = nullptr;
  if constexpr (Carrier::is_silent) {
    node = new Node(std::in_place, std::move(item));
  } else {
    node = item;
  }
  node->number = number;
  returned_.insert(*node);
  get_has_to_check_ = true;
  put_limit_ = 0;
}

/// Puts the item of the putter that has waited longest. Called by a get just before it takes an item and so makes room.
template <class T>
ERRAND_NOINLINE void Queue<T>::let_in() {
  get_has_to_check_ = !putters_.empty() || !returned_.empty() || items_.may_get_spare_room();
  if (putters_.empty() || is_closed_ || count() > capacity_) return;
  putters_.check_thread();
  auto& first = putters_.template first<typename Put::Wait>();
  items_.make_room();
  items_.push_back_within_room(Carrier::take_over(first.item_));
  ++unfinished_;
  first.wake();
}

template <class T>
bool Queue<T>::try_put(T item) {
  check_thread();
  if (is_closed_) return false;
  struct Offer {
    Carried item;
    ~Offer() { Carrier::discard(item); }
  } offer{Carrier::carry(std::move(item))};
  return !is_closed_ && put_if_room(offer.item);  // the move of the item may have closed the queue
}

template <class T>
std::optional<T> Queue<T>::try_get() {
  check_thread();
  std::optional<T> item;  // the only object that is returned, so that the item is not moved once more
  if (is_empty()) return item;
  const std::uint64_t number = returned_.empty() ? items_.front_number() : returned_.first_number();
  union {
    Carried taken;
  };
  take(std::addressof(taken), nullptr);
  try {
    item.emplace(std::move(Carrier::item_of(taken)));
  } catch (...) {
    give_back(number, Carrier::take_over(taken));
    throw;
  }
  Carrier::discard(taken);
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
  put_limit_ = 0;
  is_closed_ = true;
  while (!putters_.empty()) putters_.template first<typename Put::Wait>().wake_failed();
  while (!getters_.empty()) getters_.template first<Getter>().end_at_close();
}

template <class T>
void Queue<T>::task_done() {
  check_thread();
  if (unfinished_ == 0) throw InvalidState("task_done was called more often than items were put into the queue");
  if (--unfinished_ == 0) joiners_.wake_all();
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
