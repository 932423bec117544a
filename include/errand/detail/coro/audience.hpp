// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <errand/detail/base/item_list.hpp>
#include <errand/detail/base/list.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/base/pool.hpp>
#include <errand/detail/coro/wait_list.hpp>

namespace errand::detail {

template <class T>
class Audience;

/// The state of a `Subscription`: the items that it has not taken yet, and the tasks that wait for one. It stands in
/// its audience, which may end first: then it is closed.
template <class T>
class Subscriber : public Link, public Pooled {
 public:
  /// Makes a subscriber. With a capacity of 0 there is no limit. If `audience` is null, it is closed from the start.
  /// `loop` is that of the only App that may use the subscription; null if any App may.
  Subscriber(Audience<T>* audience, std::size_t capacity, Loop* loop = nullptr) noexcept
      : audience_(audience), capacity_(capacity), loop_(loop) {
    if (loop_) loop_->retain();
    if (audience_) audience_->join(*this);
  }
  /// Leaves the audience. The awaits of the tasks that wait throw `InvalidState`.
  ~Subscriber() {
    check_thread_in_destructor();
    if (linked()) unlink();
    while (!takings_.empty()) takings_.pop_front();
    if (loop_) loop_->release();
  }

  class Next;

  void check_thread() const {
    if (loop_) loop_->check_thread();
    waiters_.check_thread();
  }
  void check_thread_in_destructor() const noexcept {
    if (loop_) loop_->check_thread_in_destructor("a Subscription is destroyed on another thread than that of its App");
    waiters_.check_thread_in_destructor();
  }
  bool is_closed() const noexcept { return !audience_; }
  std::size_t lost() const noexcept { return lost_; }

  /// Returns the first item, or nullopt if there is none. If the move of the item throws, the item stays.
  std::optional<T> try_next();
  /// Takes the first item out. It belongs to the caller. Returns null if there is none.
  Item<T>* take() noexcept { return items_.empty() ? nullptr : &items_.pop_front(); }
  /// Hands an item to the task that has waited longest, or keeps it. If there are more items than `capacity_` then,
  /// moves the oldest to `dropped`, because its destructor may run only when everybody has got his item.
  void give(Item<T>& item, ItemList<T>& dropped) noexcept;
  /// Gives back an item that was taken: to a task that waits, or to its old place.
  void give_back(Item<T>& item) noexcept;
  /// Called when the audience ends: there will be no more items. Wakes the tasks that wait, which get nothing.
  void close() noexcept {
    audience_ = nullptr;
    waiters_.wake_all();
  }

  std::uint64_t order = 0;  // when it joined its audience or, if that was later, when it began to wait

 private:
  bool hand_to_waiter(Item<T>& item) noexcept;
  void drop_if_full(ItemList<T>& dropped) noexcept;

  Audience<T>* audience_;  // null if it is closed
  const std::size_t capacity_;
  Loop* const loop_;
  std::size_t lost_ = 0;
  std::uint64_t given_ = 0;  // how many items it got
  List takings_;             // each `try_next` that is moving its item out: the move may destroy this subscriber
  ItemList<T> items_;
  WaitList waiters_;  // the last member, because code of the user's runs when the items are destroyed
};

/// The subscribers of a `Broadcast`, or of an event, in the order in which they began to wait. Those that do not wait
/// stand where they stood when they waited last, or at the place at which they joined.
template <class T>
class Audience {
 public:
  /// `last` is the number that was given last when somebody joined this audience, or began to wait in it. Several
  /// audiences may share it, so that their subscribers stand in one common order.
  explicit Audience(std::uint64_t& last) noexcept : last_(last) {}
  ~Audience() { close(); }

  bool empty() const noexcept { return subscribers_.empty(); }
  void join(Subscriber<T>& subscriber) noexcept {
    subscriber.order = ++last_;
    subscribers_.push_back(subscriber);
  }
  /// Called when the first task begins to wait for this subscriber.
  void move_to_end(Subscriber<T>& subscriber) noexcept {
    subscriber.unlink();
    join(subscriber);
  }
  void close() noexcept {
    while (!empty()) at(subscribers_.pop_front()).close();
  }
  void check_thread() const {
    for (const Link* link = subscribers_.begin(); link != subscribers_.end(); link = link->next)
      at(*link).check_thread();
  }
  /// Checks only the first and the last, so that to join takes a constant time.
  void check_thread_to_join() const {
    if (empty()) return;
    at(*subscribers_.begin()).check_thread();
    at(*subscribers_.end()->prev).check_thread();
  }
  void check_thread_in_destructor() const noexcept {
    for (const Link* link = subscribers_.begin(); link != subscribers_.end(); link = link->next) {
      at(*link).check_thread_in_destructor();
    }
  }

 private:
  template <class>
  friend class Delivery;
  static Subscriber<T>& at(Link& link) noexcept { return static_cast<Subscriber<T>&>(link); }
  static const Subscriber<T>& at(const Link& link) noexcept { return static_cast<const Subscriber<T>&>(link); }

  std::uint64_t& last_;
  List subscribers_;
};

/// One item on its way to an audience. To make it copies the item for each subscriber: that runs code of the user's,
/// and may throw. Then `begin`, `next` and `give` hand out the copies, and run no code of the user's. The items that
/// were lost are destroyed with the delivery.
template <class T>
class Delivery {
 public:
  /// Copies the item for each subscriber; `audience` may be null. The last one gets the item itself if that may be
  /// moved. Throws what a copy throws, and `std::bad_alloc`.
  template <class U>
  Delivery(const Audience<T>* audience, U&& item) {
    if (!audience) return;
    last_ = audience->last_;
    std::size_t missing = 0;
    const List& all = audience->subscribers_;
    for (const Link* link = all.begin(); link != all.end(); link = link->next) ++missing;
    for (; missing > 1; --missing) copies_.push_back(*new Item<T>(std::in_place, std::as_const(item)));
    if (missing == 1) copies_.push_back(*new Item<T>(std::in_place, std::forward<U>(item)));
  }

  /// Begins to hand out the copies to this audience, which may have changed since they were made. It is null if it has
  /// ended.
  void begin(Audience<T>* audience) noexcept {
    if (!audience) return;
    next_ = audience->subscribers_.begin();
    end_ = audience->subscribers_.end();
  }
  /// Returns the subscriber that gets the next copy; null if all have got theirs. Whoever joined when copies had
  /// already been made gets none.
  Subscriber<T>* next() const noexcept {
    if (next_ == end_ || copies_.empty()) return nullptr;
    Subscriber<T>& subscriber = Audience<T>::at(*next_);
    return subscriber.order <= last_ ? &subscriber : nullptr;
  }
  /// Gives a copy to `next()`, which must not be null.
  void give() noexcept {
    Subscriber<T>& subscriber = *next();
    next_ = next_->next;
    subscriber.give(copies_.pop_front(), dropped_);
  }

 private:
  std::uint64_t last_ = 0;
  ItemList<T> copies_;
  ItemList<T> dropped_;
  Link* next_ = nullptr;
  Link* end_ = nullptr;
};

/// The wait for the next item of a subscription. It gives nothing if the subscription is closed and no item is left.
template <class T>
class Subscriber<T>::Next : public Waiter {
 public:
  Next(Subscriber& from, Chain& chain) noexcept : Waiter(Kind::subscription, chain), from_(from) {}
  /// Gives back an item that was handed to this wait and not picked up, for example because the task was aborted.
  ~Next() {
    if (!item_) return;
    const bool exists = linked();  // a subscriber that is destroyed takes this wait out of its list
    leave();
    if (exists) {
      from_.give_back(*item_);
    } else {
      delete item_;
    }
  }

  bool await_ready() {
    from_.check_thread();
    chain_->check_earlier_awaits();
    if (from_.loop_ && from_.loop_ != chain_->loop && !from_.is_closed()) {
      throw InvalidState("the Subscription that is awaited belongs to another App");
    }
    item_ = from_.take();
    if (item_) from_.waiters_.keep(*this);
    return item_ || from_.is_closed();
  }
  void await_suspend(std::coroutine_handle<>) {
    if (from_.waiters_.empty()) from_.audience_->move_to_end(from_);
    suspend(from_.waiters_.list());
  }
  std::optional<T> await_resume() {
    Suspension::resumed();
    std::optional<T> value;
    if (!item_) return value;
    value.emplace(std::move(item_->value));  // if this throws, the destructor gives the item back
    leave();
    delete std::exchange(item_, nullptr);
    return value;
  }

 private:
  friend Subscriber;

  Subscriber& from_;
  Item<T>* item_ = nullptr;
};

// Implementation

template <class T>
std::optional<T> Subscriber<T>::try_next() {
  std::optional<T> value;
  Owner<Item<T>> item(take());
  if (!item) return value;
  Link taking;
  takings_.push_back(taking);
  try {
    value.emplace(std::move(item->value));
  } catch (...) {
    if (taking.linked()) {
      taking.unlink();
      give_back(*item.release());
    }
    throw;
  }
  if (taking.linked()) taking.unlink();
  return value;
}

template <class T>
void Subscriber<T>::give(Item<T>& item, ItemList<T>& dropped) noexcept {
  item.number = ++given_;
  if (hand_to_waiter(item)) return;
  items_.push_back(item);
  drop_if_full(dropped);
}

template <class T>
void Subscriber<T>::give_back(Item<T>& item) noexcept {
  if (hand_to_waiter(item)) return;
  ItemList<T> dropped;  // destroyed last, because this subscriber may be destroyed meanwhile
  items_.insert(item);
  drop_if_full(dropped);
}

/// Hands an item to the task that has waited longest. Returns false if no task waits.
template <class T>
bool Subscriber<T>::hand_to_waiter(Item<T>& item) noexcept {
  if (waiters_.empty()) return false;
  Next& first = waiters_.template first<Next>();
  first.item_ = &item;
  waiters_.hand_over(first);
  return true;
}

template <class T>
void Subscriber<T>::drop_if_full(ItemList<T>& dropped) noexcept {
  if (capacity_ == 0 || items_.size() <= capacity_) return;
  dropped.push_back(items_.pop_front());
  ++lost_;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
