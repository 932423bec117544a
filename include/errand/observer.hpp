// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <typeinfo>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>

namespace errand {

/// Something that has happened to a task, as an `Observer` is told of it. An event may be copied and kept.
struct TaskEvent {
  std::uint64_t id = 0;    ///< that of the task: `Task::id`
  std::string name;        ///< that of the task: `Task::name`
  Clock::time_point time;  ///< the steady clock's, whatever clock the App has
  /// The id of the task that has added or woken this one. 0 if no task has, but a timer, a callback or another thread.
  std::uint64_t cause = 0;
  /// In `step_ended`: the wait at which the task is suspended now, such as "sleep"; "ready" if it goes on without a
  /// wait; empty if the task has ended. If a branch of the task has made the step, it is the wait of this branch. In
  /// `task_ended`: "succeeded", "failed" or "cancelled". Otherwise empty.
  std::string what;
  std::string file;   ///< in `step_ended`: the source file of this wait, without its folders; empty if it is not known
  unsigned line = 0;  ///< in `step_ended`: the line of this wait; 0 if it is not known
};

/// Is told of what the tasks of an App do: override the members that you want to be called, and give the observer to
/// the App. `Trace` is an Observer that writes a file.
///
///     class Logger : public errand::Observer {
///      public:
///       void task_added(const errand::TaskEvent& event) override { std::clog << "+ " << event.name << '\n'; }
///       void task_ended(const errand::TaskEvent& event) override { std::clog << "- " << event.name << '\n'; }
///     };
///     Logger logger;
///     errand::App app("server", {.observer = &logger});
///
/// It must outlive the App. The members are called on the App's thread or, if there are several workers, on the thread
/// of the worker, but never by two workers at once. They must not use the App or its tasks. If one throws, that ends
/// the program. A step costs nothing if the class of the observer overrides no member for steps and wakes.
///
/// The App's own work is not observed: its listeners and callbacks. The call that adds a task calls `task_added`, when
/// the task has its name. For the copy of a task on another worker, it is called when that worker starts the copy.
/// Everything that a step does is told between its `step_began` and its `step_ended`. If there is no memory for a text
/// of an event, that text is empty.
class Observer {
 public:
  virtual ~Observer() = default;

  /// Called when a task has been added, also to a group or a scope.
  virtual void task_added(const TaskEvent&) {}
  /// Called when a task begins a step, which goes to its next wait or to its end.
  virtual void step_began(const TaskEvent&) {}
  /// Called when a step of a task is over.
  virtual void step_ended(const TaskEvent&) {}
  /// Called when a wait of a task has ended, by its result or because the task was asked to end. If several branches
  /// wait, it is called for each of their waits, and for that of the combinator. A `yield` is no wait.
  virtual void woken(const TaskEvent&) {}
  /// Called when a task has ended and its frames are gone: in its last step, or when it is aborted. If a thread call
  /// uses an aborted task, that is when the call has returned.
  virtual void task_ended(const TaskEvent&) {}
  /// Called when the loop has slept, because it had nothing to do. The times are the steady clock's. If the host polls
  /// the App, the loop does not sleep.
  virtual void slept(Clock::time_point, Clock::time_point) {}
};

/// A pointer to an Observer that knows which of the members the observer overrides. It is the type of
/// `AppConfig::observer`: write `{.observer = &logger}`. The observer must be constructed by then: a base class must
/// not give its `this` to an App in its constructor.
class ObserverPointer {
 public:
  /// The members of an Observer.
  enum Member : unsigned { task_added = 1, step_began = 2, step_ended = 4, woken = 8, task_ended = 16, slept = 32 };

  /// Makes a pointer to no observer.
  ObserverPointer(std::nullptr_t = nullptr) noexcept {}
  /// Makes a pointer to this observer; null for no observer.
  template <std::derived_from<Observer> T>
  ObserverPointer(T* observer) noexcept : observer_(observer) {
    if (observer) overridden_ = detail::is_one_type(typeid(*observer), typeid(T)) ? overridden_by<T>() : all;
  }

  /// Returns the observer; null if there is none.
  operator Observer*() const noexcept { return observer_; }
  /// Returns true if the observer may override one of these members.
  bool overrides(unsigned members) const noexcept { return overridden_ & members; }

 private:
  static constexpr unsigned all = 63;

  /// A class that does not declare the member finds that of Observer. If the member cannot be named here, because it is
  /// private or overloaded, the class has declared it.
  template <class T>
  static constexpr unsigned overridden_by() noexcept {
    using Told = void (Observer::*)(const TaskEvent&);
    using Slept = void (Observer::*)(Clock::time_point, Clock::time_point);
    unsigned members = 0;
    if constexpr (!requires {
                    { &T::task_added } -> std::same_as<Told>;
                  })
      members |= task_added;
    if constexpr (!requires {
                    { &T::step_began } -> std::same_as<Told>;
                  })
      members |= step_began;
    if constexpr (!requires {
                    { &T::step_ended } -> std::same_as<Told>;
                  })
      members |= step_ended;
    if constexpr (!requires {
                    { &T::woken } -> std::same_as<Told>;
                  })
      members |= woken;
    if constexpr (!requires {
                    { &T::task_ended } -> std::same_as<Told>;
                  })
      members |= task_ended;
    if constexpr (!requires {
                    { &T::slept } -> std::same_as<Slept>;
                  })
      members |= slept;
    return members;
  }

  Observer* observer_ = nullptr;
  unsigned overridden_ = 0;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
