// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <any>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <errand/detail/app/handler.hpp>
#include <errand/detail/app/signal_wait.hpp>
#include <errand/detail/base/event_name.hpp>
#include <errand/detail/base/names.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/coro/audience.hpp>
#include <errand/detail/loop/loop.hpp>
#include <errand/detail/task/spawn.hpp>
#include <errand/failure.hpp>
#include <errand/signal.hpp>

namespace errand::detail {

/// The signals of an App, as the rest of the App sees them. There are none until they are used, so that a program
/// without signals has no code for them.
class SignalHub {
 public:
  virtual ~SignalHub() = default;
  virtual Task<> dispatch(std::string_view event, std::any payload) = 0;
  /// Returns true if a dispatch of this event would reach a handler, a waiter or a subscription.
  virtual bool is_heard(std::string_view event) const = 0;
  /// Returns a hub for another worker, with copies of the handlers that are not marked by `errand::once`. Throws
  /// `InvalidState` if one of them cannot be copied.
  virtual Owner<SignalHub> copy_for(Loop& loop) const = 0;
  /// Dispatches a failure, if somebody listens to failures.
  virtual void report(const TaskFailure& failure) = 0;
  /// Destroys the handlers. A destructor of a handler may add others, which are destroyed too.
  virtual void clear() noexcept = 0;
};

/// A handler of an event. `order` tells which of two handlers was added first. `wants_parameter` is true if the event
/// has a `<name>`.
struct NumberedHandler {
  std::uint64_t order;
  std::shared_ptr<Handler> handler;
  bool wants_parameter;
};
using Handlers = std::vector<NumberedHandler>;

class SignalDelivery;

/// The handlers, the waiters and the subscriptions of all events of an App.
class Signals final : public SignalHub {
 public:
  explicit Signals(Loop& loop) noexcept : loop_(loop) {}

  void add(std::string_view event, Owner<Handler> handler);
  /// Returns a subscription to an event, or to several if the last part of the name is `*`.
  Owner<Subscriber<Signal>> subscribe(std::string_view event, std::size_t capacity);
  inline Task<> dispatch(std::string_view event, std::any payload) override;
  inline bool is_heard(std::string_view event) const override;
  inline Owner<SignalHub> copy_for(Loop& loop) const override;
  Loop& loop() const noexcept { return loop_; }
  inline void report(const TaskFailure& failure) override;
  inline void clear() noexcept override;

 private:
  friend class errand::detail::SignalWait;
  friend class errand::detail::SignalDelivery;

  struct NamedEvent : Names::Entry, Link {
    NamedEvent(std::string its_name, std::uint64_t& last)
        : Names::Entry(text), text(std::move(its_name)), audience(last) {}
    const std::string text;
    Handlers handlers;
    WaitList waiters;
    Audience<Signal> audience;
    bool is_heard() const noexcept { return !handlers.empty() || !waiters.empty() || !audience.empty(); }
  };

  /// Owns its events. (GCC 12 would emit the class Signals everywhere if it had a destructor of its own for this.)
  struct EventList : List {
    ~EventList() {
      while (!empty()) delete &at(pop_front());
    }
  };

  static NamedEvent& at(Link& link) noexcept { return static_cast<NamedEvent&>(link); }
  NamedEvent* find(std::string_view key) const noexcept { return static_cast<NamedEvent*>(names_.find(key)); }
  NamedEvent& make(const std::string& key);
  void drop(NamedEvent& event) noexcept {
    names_.remove(event);
    event.unlink();
    delete &event;
  }
  NamedEvent& make_to_wait_for(const std::string& key);
  static Handlers handlers_of(const NamedEvent* one, const NamedEvent* other);

  Loop& loop_;
  Names names_;  // the events by their names; that of a pattern ends with `*`
  EventList events_;
  std::uint64_t last_ = 0;  // handlers, waiters and subscriptions are numbered as they come
  std::size_t sweep_at_ = 64;
};

// Implementation

ERRAND_ONCE AwaitedEvent::AwaitedEvent(Signals& its_signals, std::string_view event, Nanoseconds its_timeout)
    : signals(its_signals),
      loop(its_signals.loop()),
      key(EventName(event, EventName::Pattern::any).key()),
      timeout(its_timeout) {}

ERRAND_ONCE bool SignalWait::await_suspend(std::coroutine_handle<>) {
  Loop& loop = event_.loop.get();
  if (!loop.app || chain_->loop != &loop) {
    raise<InvalidState>({"'", event_.key, "' is an event of another App"});
  }
  if (event_.timeout <= Nanoseconds::zero()) {
    if (may_suspend()) throw_failure();
    return false;
  }
  List& list = event_.signals.make_to_wait_for(event_.key).waiters.list();
  if (event_.timeout != Nanoseconds::max()) deadline_.arm(loop, loop.deadline(event_.timeout));
  order_ = ++event_.signals.last_;
  return suspend(list);
}

inline void Signals::add(std::string_view event, Owner<Handler> handler) {
  const EventName name(event, EventName::Pattern::parameter);
  make(name.key()).handlers.push_back({++last_, std::shared_ptr<Handler>(handler.release()), name.is_pattern()});
}

/// Returns the event of this name, which is made if there is none.
inline Signals::NamedEvent& Signals::make(const std::string& key) {
  if (NamedEvent* const found = find(key)) return *found;
  Owner<NamedEvent> made(new NamedEvent(key, last_));
  names_.add(*made);
  events_.push_back(*made);
  return *made.release();
}

inline Owner<SignalHub> Signals::copy_for(Loop& loop) const {
  Owner<SignalHub> made(new Signals(loop));
  Signals& copies = static_cast<Signals&>(*made);
  for (const Link* link = events_.begin(); link != events_.end(); link = link->next) {
    const NamedEvent& event = static_cast<const NamedEvent&>(*link);
    for (std::size_t i = 0; i < event.handlers.size(); ++i) {
      const NumberedHandler each = event.handlers[i];  // a copy, because copying a callable may add handlers
      auto [copy, is_for_all] = each.handler->copy();
      if (copy) {
        copies.make(event.text)
            .handlers.push_back({each.order, std::shared_ptr<Handler>(copy.release()), each.wants_parameter});
      } else if (is_for_all) {
        raise<InvalidState>(
            {"the handler of '", event.text, "' cannot be copied for each worker: mark it with errand::once"});
      }
    }
  }
  copies.last_ = last_;
  return made;
}

inline bool Signals::is_heard(std::string_view event) const {
  const EventName name(event, EventName::Pattern::none);
  const NamedEvent* const exact = find(event);
  const NamedEvent* const any = find(name.any());
  return (exact && exact->is_heard()) || (any && any->is_heard());
}

inline void Signals::report(const TaskFailure& failure) {
  constexpr const char* event = "server.exception.report";
  if (!is_heard(event)) return;
  const Task<> told = dispatch(event, failure);
  told.handle().state()->details().is_report = true;
}

inline void Signals::clear() noexcept {
  for (bool any = true; any;) {
    any = false;
    for (Link* link = events_.begin(); link != events_.end(); link = link->next) {
      const Handlers gone = std::move(at(*link).handlers);  // leaves the event without handlers
      any |= !gone.empty();
    }
  }
}

/// Returns the event of this name for a waiter or a subscription. Now and then drops the events that nobody listens to.
inline Signals::NamedEvent& Signals::make_to_wait_for(const std::string& key) {
  if (names_.size() >= sweep_at_ && !find(key)) {
    for (Link* link = events_.begin(); link != events_.end();) {
      NamedEvent& event = at(*link);
      link = link->next;
      if (!event.is_heard()) drop(event);
    }
    sweep_at_ = names_.size() < 32 ? 64 : 2 * names_.size();
  }
  return make(key);
}

inline Owner<Subscriber<Signal>> Signals::subscribe(std::string_view event, std::size_t capacity) {
  const EventName name(event, EventName::Pattern::any);
  NamedEvent& to = make_to_wait_for(name.key());
  return Owner(new Subscriber<Signal>(&to.audience, capacity, &loop_));
}

/// A signal on its way to those who wait for an event and to its subscriptions. There is one for the event itself, and
/// one for the event with a `*`.
class SignalDelivery {
 public:
  /// Copies the signal for the subscriptions of this event, which may be null. Throws what a copy of the payload
  /// throws.
  SignalDelivery(const Signals::NamedEvent* event, const std::shared_ptr<const Signal>& signal)
      : signal_(signal), copies_(event ? &event->audience : nullptr, *signal) {}
  /// Begins to deliver to this event. It is found again, because a copy of the payload may have made it unheard.
  void begin(Signals::NamedEvent* event) noexcept {
    event_ = event;
    copies_.begin(event ? &event->audience : nullptr);
  }
  /// Returns the number of who is next, which tells since when it waits. Returns `nobody` if all have got the signal.
  std::uint64_t next() const noexcept {
    const Subscriber<Signal>* const subscriber = copies_.next();
    const std::uint64_t number = subscriber ? subscriber->order : nobody;
    return is_anyone_waiting() && first().order_ < number ? first().order_ : number;
  }
  /// Gives the signal to who is next.
  void give() noexcept {
    if (is_anyone_waiting() && first().order_ == next()) {
      SignalWait& wait = first();
      wait.signal_ = signal_;
      wait.deadline_.disarm();
      wait.wake();
    } else {
      copies_.give();
    }
  }

  static constexpr auto nobody = static_cast<std::uint64_t>(-1);

 private:
  bool is_anyone_waiting() const noexcept { return event_ && !event_->waiters.empty(); }
  SignalWait& first() const noexcept { return event_->waiters.first<SignalWait>(); }

  const std::shared_ptr<const Signal>& signal_;
  Delivery<Signal> copies_;
  Signals::NamedEvent* event_ = nullptr;
};

/// The coroutine of a dispatch: runs the handlers one after the other.
inline Coro<> handle_signal(std::shared_ptr<const Signal> signal, std::shared_ptr<const Signal> with_parameter,
                            Handlers handlers) {
  for (const NumberedHandler& one : handlers) {
    const Signal& given = one.wants_parameter ? *with_parameter : *signal;
    co_await one.handler->call(given);
  }
}

/// Returns the handlers of both events, each of which may be null, in the order in which they were added.
inline Handlers Signals::handlers_of(const NamedEvent* one, const NamedEvent* other) {
  Handlers all;
  const std::size_t size = one ? one->handlers.size() : 0;
  std::size_t i = 0;
  const std::size_t other_size = other ? other->handlers.size() : 0;
  std::size_t j = 0;
  while (i < size || j < other_size) {
    const bool is_next = j == other_size || (i < size && one->handlers[i].order < other->handlers[j].order);
    all.push_back(is_next ? one->handlers[i++] : other->handlers[j++]);
  }
  return all;
}

/// First makes everything that runs code of the user's or may throw. Then wakes everyone who waits, in the order in
/// which they began to wait, and gives their copies to the other subscriptions.
inline Task<> Signals::dispatch(std::string_view event, std::any payload) {
  const EventName name(event, EventName::Pattern::none);
  const std::string any = name.any();
  const auto signal = std::make_shared<const Signal>(Signal{std::string(event), {}, std::move(payload)});
  std::shared_ptr<const Signal> with_parameter;
  if (const NamedEvent* const pattern = find(any); pattern && pattern->is_heard()) {
    with_parameter = std::make_shared<const Signal>(Signal{signal->event, name.action(), signal->payload});
  }
  const std::shared_ptr<const Signal>& for_any = with_parameter ? with_parameter : signal;
  const auto find_any = [&] { return with_parameter ? find(any) : nullptr; };
  SignalDelivery to_exact(find(event), signal);
  SignalDelivery to_any(find_any(), for_any);
  TaskBase& task = make_task(loop_, handle_signal(signal, for_any, handlers_of(find(event), find_any())));
  to_exact.begin(find(event));
  to_any.begin(find_any());
  for (;;) {
    const std::uint64_t first = to_exact.next();
    const std::uint64_t other = to_any.next();
    if (first == SignalDelivery::nobody && other == SignalDelivery::nobody) break;
    (first < other ? to_exact : to_any).give();
  }
  Task<> handle{TaskHandle(task)};
  queue_task(task);
  return handle;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
