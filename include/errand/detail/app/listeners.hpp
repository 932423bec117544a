// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/detail/app/listener.hpp>
#include <errand/phase.hpp>
#include <errand/task.hpp>

namespace errand::detail {

inline constexpr unsigned phases = 6;

inline const char* name_of(Phase phase) noexcept {
  constexpr const char* names[] = {"main_process_start", "before_server_start", "after_server_start",
                                   "before_server_stop", "after_server_stop",   "main_process_stop"};
  return names[static_cast<unsigned>(phase)];
}

inline bool is_of_stop(Phase phase) noexcept { return phase >= Phase::before_server_stop; }

/// A task that was added before `run`. It is queued in its place among the listeners, and is not awaited.
class StartTask final : public Listener {
 public:
  explicit StartTask(TaskHandle task) noexcept : Listener(0), task_(std::move(task)) {}

  TaskHandle call(App&, const char*) override {
    TaskBase& task = *task_.state();
    if (!task.done() && !task.Node::linked()) {
      task.announce();  // a copy for another worker is told on the thread of that worker
      task.loop->make_ready(static_cast<Chain&>(task));
    }
    task_ = {};
    return {};
  }
  WorkerCopy<Listener> copy() const override { return {{}, false}; }
  TaskBase* task() const noexcept { return task_.state(); }

 private:
  TaskHandle task_;
};

/// The listeners of an App. In each phase higher priority comes first, then the order added. In the phases of the stop,
/// this whole order is reversed.
class Listeners {
 public:
  Listeners() = default;
  ~Listeners() { clear(); }

  /// Adds a listener, and becomes its owner.
  ERRAND_COLD void add(Phase phase, Listener& listener) noexcept {
    List& all = of(phase);
    Link* place = all.end();
    while (place != all.begin() && at(place->prev).priority < listener.priority) place = place->prev;
    List::insert(*place, listener);
  }

  /// Returns the listeners of a phase in the order in which they are called. Listeners that are added meanwhile wait
  /// for the next run.
  ERRAND_COLD std::vector<Listener*> in_order(Phase phase) {
    List& all = of(phase);
    std::size_t count = 0;
    for (Link* link = all.begin(); link != all.end(); link = link->next) ++count;
    std::vector<Listener*> order(count);
    const bool backwards = is_of_stop(phase);
    Link* link = backwards ? all.end()->prev : all.begin();
    for (Listener*& place : order) {
      place = &at(link);
      link = backwards ? link->prev : link->next;
    }
    return order;
  }

  /// Called after `before_server_start`, and at the end of a run: forgets the tasks that have been queued, or had ended
  /// before.
  ERRAND_COLD void drop_spent_tasks() noexcept {
    List& all = of(Phase::before_server_start);
    for (Link* link = all.begin(); link != all.end();) {
      Listener& listener = at(link);
      link = link->next;
      const auto* task = dynamic_cast<const StartTask*>(&listener);
      if (task && (!task->task() || task->task()->done())) delete &listener;
    }
  }

  /// Copies for another worker the listeners that every worker runs. `copy_task` copies a task that was added before
  /// `run`, and returns null if there is to be no copy. Throws `InvalidState` if a listener cannot be copied and is not
  /// marked by `errand::once`.
  template <class CopyTask>
  void copy_to(Listeners& other, CopyTask copy_task) {
    for (const Phase phase :
         {Phase::before_server_start, Phase::after_server_start, Phase::before_server_stop, Phase::after_server_stop}) {
      for (Link* link = of(phase).begin(); link != of(phase).end(); link = link->next) {
        if (const auto* task = dynamic_cast<const StartTask*>(&at(link))) {
          if (Listener* const copy = copy_task(*task->task())) other.of(phase).push_back(*copy);
          continue;
        }
        auto [copy, is_for_all] = at(link).copy();
        if (copy) {
          other.of(phase).push_back(*copy.release());
        } else if (is_for_all) {
          raise<InvalidState>(
              {"a ", name_of(phase), " listener cannot be copied for each worker: mark it with errand::once"});
        }
      }
    }
  }

  /// Destroys the listeners. A destructor of a listener may add others, which are destroyed too.
  ERRAND_COLD void clear() noexcept {
    for (List& all : phases_) {
      while (!all.empty()) delete &at(&all.front());
    }
  }

 private:
  List& of(Phase phase) noexcept { return phases_[static_cast<unsigned>(phase)]; }
  static Listener& at(Link* link) noexcept { return static_cast<Listener&>(*link); }

  List phases_[phases];
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
