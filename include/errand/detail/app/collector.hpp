// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <errand/detail/app/table.hpp>
#include <errand/detail/coro/branches.hpp>
#include <errand/detail/coro/place.hpp>
#include <errand/snapshot.hpp>
#include <errand/task.hpp>

namespace errand::detail {

/// Collects the waits of a task, see `TaskWait`. Long lists and deep nesting are cut short, so that this takes little
/// time and stack, however many coroutines there are.
class WaitCollector {
 public:
  /// The lines will be appended to `waits`.
  explicit WaitCollector(std::vector<TaskWait>& waits) noexcept : waits_(waits) {}
  ERRAND_COLD void collect(const TaskBase& task) {
    add(task, 0);
    if (room_ > 0) return;
    room_ = 1;
    line("...", nullptr, 1);
  }
  /// Returns what a chain waits for, in a few words: "sleep", "task 'copy'", "gather".
  static std::string what(const Chain& chain);

 private:
  static constexpr std::size_t most = 8;        // how many awaits or branches are shown
  static constexpr unsigned deepest = 8;        // the largest level of a branch that is shown
  static constexpr std::size_t counted = 1000;  // how many of the others are counted

  /// Adds a line, if there is room. `place` is null if the line has no place.
  ERRAND_COLD void line(std::string what, const PromiseBase* place, unsigned inside) {
    if (room_ == 0) return;
    --room_;
    TaskWait& wait = waits_.emplace_back();
    wait.what = std::move(what);
    wait.inside = inside;
    if (!place) return;
    wait.file = file_of_place(*place);
    wait.line = place->line;
  }
  /// Adds a line that counts what was cut, if there is anything.
  ERRAND_COLD void rest(std::size_t count, unsigned inside) {
    const bool is_over = count > counted;
    if (count == 0) return;
    line(text({"and ", is_over ? "over " : "", number(is_over ? counted : count), " more"}), nullptr, inside);
  }
  void add(const Chain& chain, unsigned inside);
  void add_branches(Branches& branches, unsigned inside);

  std::vector<TaskWait>& waits_;
  std::size_t room_ = 40;  // how many lines may still be added
};

ERRAND_COLD inline std::string WaitCollector::what(const Chain& chain) {
  switch (chain.state) {
    case Chain::State::created: return "not started";
    case Chain::State::running: return "running";
    case Chain::State::yielding: return "yield";
    case Chain::State::branching:
    case Chain::State::waiting:
    case Chain::State::halted: break;
    default: return "ready";
  }
  const Kind kind = chain.waiting->kind;
  if (kind != Kind::task && kind != Kind::task_cancel && kind != Kind::task_end) return name_of(kind);
  return text({"task '", static_cast<const WaitForTask*>(chain.waiting)->task().name(), "'"});
}

ERRAND_COLD inline void WaitCollector::add(const Chain& chain, unsigned inside) {
  PromiseBase::Handle frame = chain.leaf;
  const PromiseBase* const place = place_of(frame);
  line(what(chain), place, inside);
  if (place) frame = place->parent;
  if (chain.state == Chain::State::branching) add_branches(static_cast<Branches&>(*chain.waiting), inside + 2);
  std::size_t visited = 0;
  std::size_t shown = 0;
  std::size_t left = 0;
  for (; frame && visited < counted + most; frame = frame.promise().parent, ++visited) {
    const PromiseBase& promise = frame.promise();
    if (promise.line == 0 || is_of_library(promise)) continue;
    if (shown < most) {
      line("from", &promise, inside + 1);
      ++shown;
    } else {
      ++left;
    }
  }
  rest(frame ? counted + 1 : left, inside + 1);
}

ERRAND_COLD inline void WaitCollector::add_branches(Branches& branches, unsigned inside) {
  std::size_t shown = 0;
  std::size_t left = 0;
  for (Link* link = branches.live.begin(); link != branches.live.end() && left <= counted; link = link->next) {
    if (shown < most && inside <= deepest) {
      add(Branches::branch(*link), inside);
      ++shown;
    } else {
      ++left;
    }
  }
  for (Chain* member = branches.first_member(); member && left <= counted; member = member->next_member()) {
    if (shown < most && inside <= deepest) {
      line(text({"task '", static_cast<TaskBase*>(member)->name(), "'"}), nullptr, inside);
      ++shown;
    } else {
      ++left;
    }
  }
  rest(left, inside);
}

ERRAND_COLD inline std::size_t count_pending(const Loop& loop) noexcept {
  std::size_t count = 0;
  for (const Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) ++count;
  return count;
}

/// Returns a snapshot of the first `most` pending tasks.
ERRAND_COLD inline std::vector<TaskInfo> snapshot_of(Loop& loop, std::size_t most) {
  const Clock::time_point now = loop.now();  // first, because a clock of the user's may end tasks
  const std::size_t count = count_pending(loop);
  std::vector<TaskInfo> tasks(count < most ? count : most);
  Link* link = loop.pending.begin();
  for (TaskInfo& info : tasks) {
    const TaskBase& task = task_of(*link);
    link = link->next;
    info.id = task.identity.id();
    info.name = task.name();
    info.status = task.status;
    info.age = loop.ages.age(info.id, now);
    info.note = task.note();
    info.is_registered = task.is_registered();
    WaitCollector(info.waits).collect(task);
    info.cancelling = task.requests;
  }
  return tasks;
}

/// Returns a table of the pending tasks. Only the first `most` have a row; the others are counted.
ERRAND_COLD inline std::string table_of_tasks(Loop& loop, std::size_t most) {
  const std::vector<TaskInfo> tasks = snapshot_of(loop, most);
  return table_of(tasks, count_pending(loop) - tasks.size());
}

/// Returns what one task waits for, in one line.
ERRAND_COLD inline std::string line_of_task(const TaskBase& task) {
  std::vector<TaskWait> waits;
  WaitCollector(waits).collect(task);
  std::string whole;
  for (const TaskWait& wait : waits) {
    whole += text({whole.empty() ? "" : ", ", printable(describe(wait))});
  }
  return whole;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
