// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/audience.hpp>

namespace errand {

/// One subscriber of a `Broadcast<T>`, or of the signals of an App: every item that is sent from now on waits here
/// until a task takes it. `Broadcast::subscribe` and `App::subscribe` make it, and its destructor unsubscribes.
///
/// It can be moved, also while a task waits for its next item. If it is destroyed meanwhile, that await throws
/// `InvalidState`. A subscription that was moved from is empty: its members throw `InvalidState`. It may outlive the
/// Broadcast, or the App. Then it still gives the items that are left, and ends.
///
/// It belongs to the tasks of one App: its members throw `WrongThread` if a task is waiting, and another thread is
/// inside the App of that task.
template <class T>
class [[nodiscard("the end of a Subscription unsubscribes")]] Subscription {
  using Subscriber = detail::Subscriber<T>;

 public:
  /// For the library's own use: `subscribe` makes it.
  explicit Subscription(detail::Owner<Subscriber> state) noexcept : state_(std::move(state)) {}
  /// Takes over the place of `other`, which is empty afterwards.
  Subscription(Subscription&& other) noexcept = default;
  /// Unsubscribes, and takes over the place of `other`.
  Subscription& operator=(Subscription&& other) noexcept = default;
  /// Unsubscribes, and destroys the items that are left.
  ~Subscription() { const auto gone = std::move(state_); }

  /// Waits for the next item, and gives it as an `std::optional<T>`, which is empty if there will be none, because the
  /// Broadcast has been closed or the App has ended. Throws `Cancelled` if the task is asked to end before it has an
  /// item. No item is lost by that, nor if the task is aborted: the next await gives it.
  ///
  ///     while (auto item = co_await subscription.next()) show(*item);
  detail::WaitOn<typename Subscriber::Next, Subscriber> next() { return state(); }
  /// Returns the next item without waiting, or nullopt if there is none now.
  std::optional<T> try_next() { return state().try_next(); }
  /// Returns how many items were lost, because there were more than the capacity.
  std::size_t lost() const { return state().lost(); }

 private:
  Subscriber& state() const {
    if (!state_) throw InvalidState("this Subscription was moved from");
    state_->check_thread();
    return *state_;
  }

  detail::Owner<Subscriber> state_;
};

/// Sends items from any number of tasks to many: each subscriber gets a copy of every item that is sent from its
/// `subscribe` on, in order, also while it is busy. The sender never waits. (With a `Queue`, each item goes to one
/// task.)
///
///     errand::Broadcast<std::string> news;
///     auto mine = news.subscribe();        // or subscribe(100): only the last 100 are kept
///     news.send("hello");
///     while (auto item = co_await mine.next()) show(*item);
///
/// Its destructor closes it. It can be neither copied nor moved, and belongs to the tasks of one App. Every member
/// throws `WrongThread` if a task is waiting and another thread is inside the App of that task. The copy, the move and
/// the destructor of an item may use the Broadcast, but not destroy it.
template <class T>
class Broadcast {
  static_assert(std::is_object_v<T>, "a Broadcast sends objects: send a pointer, or a std::reference_wrapper");
  static_assert(std::is_copy_constructible_v<T>,
                "each subscriber of a Broadcast gets a copy of the item: send a std::shared_ptr");
  static_assert(detail::keeps_alignment<T>,
                "the alignment of an item may not be above the default one: send a std::shared_ptr");

 public:
  /// Makes a Broadcast without subscribers.
  Broadcast() noexcept = default;
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;
  /// Closes the Broadcast. Ends the program if a task is waiting, and another thread is inside the App of that task.
  ~Broadcast() { audience_.check_thread_in_destructor(); }

  /// Sends an item to everyone who is subscribed at this moment. Wakes the tasks that wait, in the order in which they
  /// began to wait. If several tasks wait with one subscription, it wakes the first of them, and the subscription keeps
  /// its place for the others. If there is no subscriber, the item is destroyed. Throws `QueueClosed` if the Broadcast
  /// is closed, `std::bad_alloc`, and what a copy or a move of the item throws: then nobody gets the item.
  void send(T item);
  /// Returns a subscription to all items that are sent from now on. If it has a capacity, only so many items wait
  /// there: if one more comes, the oldest is lost, and counted in `lost()`. With 0 there is no limit. If the Broadcast
  /// is closed, so is the subscription. Throws `std::bad_alloc`.
  Subscription<T> subscribe(std::size_t capacity = 0);
  /// Closes the Broadcast. Its subscriptions give the items that are left, and then nothing.
  void close();

 private:
  std::uint64_t last_ = 0;
  bool is_closed_ = false;
  detail::Audience<T> audience_{last_};
};

// Implementation

template <class T>
void Broadcast<T>::send(T item) {
  audience_.check_thread();
  if (is_closed_) throw QueueClosed("the Broadcast is closed");
  detail::Delivery<T> delivery(&audience_, std::move(item));
  delivery.begin(&audience_);
  while (delivery.next()) delivery.give();
}

template <class T>
Subscription<T> Broadcast<T>::subscribe(std::size_t capacity) {
  audience_.check_thread_to_join();
  detail::Owner made(new detail::Subscriber<T>(is_closed_ ? nullptr : &audience_, capacity));
  return Subscription<T>(std::move(made));
}

template <class T>
void Broadcast<T>::close() {
  audience_.check_thread();
  is_closed_ = true;
  audience_.close();
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
