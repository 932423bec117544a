// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include <errand/detail/base/compiler.hpp>
#include <errand/task_status.hpp>

namespace errand {

/// A wait of a task: an await and its place in the code, in one line. `TaskInfo::waits` begins with the innermost await
/// of the task. If this await is a combinator, the waits of its branches come next, branch after branch. Then come the
/// awaits around the innermost one, from the inside out:
///
///     what     file      line  inside
///     gather   feed.cpp    40       0
///     sleep    feed.cpp    12       2    the first branch of the gather
///     queue    feed.cpp    25       2    the second branch
///     from     feed.cpp    30       3    awaits the coroutine that awaits the queue
///     from     main.cpp     7       1    awaits the coroutine that awaits the gather
///
/// Long lists and deep nesting are cut short: a task has 41 lines at most. A line without a place, such as "and 12
/// more", counts the branches or the awaits that were cut. "..." is the last line if the task has no room for more.
struct TaskWait {
  /// The thing that is awaited: "sleep", "event", "queue", …; "task 'name'" for a task; "gather", "race", … for a
  /// combinator; "from" for a coroutine. "task 'name'" without a place is a member of a group. A task that does not
  /// wait is "not started", "ready", in a "yield", or "running": then the place is that of its last await.
  std::string what = {};
  std::string file = {};  ///< the file, without its folders; empty if the line has no place
  unsigned line = 0;      ///< the number of the line in the file; 0 if there is no place
  /// How deep this line stands in the tree of the task's waits; 0 for the innermost await of the task. A line belongs
  /// to the nearest one above whose `inside` is smaller. A branch stands two levels below its combinator, and a "from"
  /// one level below the await that it is around. The table indents a line by two columns for each level.
  unsigned inside = 0;
};

/// A pending task as it was when `App::snapshot` was called. This is plain data: it refers to nothing of the App, and
/// may be kept, copied, and handed to other threads.
struct TaskInfo {
  std::uint64_t id = 0;                     ///< the number that `Task::id` returns
  std::string name = {};                    ///< the name that `Task::name` returns
  TaskStatus status = TaskStatus::pending;  ///< pending, unless the task is being destroyed just now
  std::chrono::nanoseconds age = {};        ///< by the App's clock; it may be an eighth too small
  std::string note = {};                    ///< the text of `Task::set_note`; empty if there is none
  bool is_registered = false;               ///< true if `App::find_task` finds the task by a name
  std::vector<TaskWait> waits = {};         ///< never empty in a snapshot: see `TaskWait`
  unsigned cancelling = 0;                  ///< requests to end that were not taken back
};

/// Writes the table of `App::dump_tasks`: `std::cout << app.snapshot()`. The status of a pending task that was asked to
/// end is "cancelling".
std::ostream& operator<<(std::ostream& out, const std::vector<TaskInfo>& tasks);

/// Returns a snapshot as JSON, in one line: an array of objects whose keys are the names of the members, from `id` to
/// `waits`. The age is a number of seconds, such as 1.5. The status is the text that the table shows. If a name or a
/// note is not valid UTF-8, U+FFFD stands for the wrong bytes. Both functions may be called on any thread.
///
///     [{"id":1,"name":"feed","status":"pending","age":1.5,"note":"3 of 9","is_registered":true,
///       "waits":[{"what":"sleep","file":"feed.cpp","line":12,"inside":0}]}]
std::string to_json(const std::vector<TaskInfo>& tasks);

// Implementation; the rest stands in detail/app/table.hpp and detail/app/json.hpp

namespace detail {

/// Returns the status for people to read.
ERRAND_COLD inline std::string_view status_of(const TaskInfo& task) noexcept {
  return task.cancelling > 0 && task.status == TaskStatus::pending ? "cancelling" : to_string(task.status);
}

}  // namespace detail

}  // namespace errand

#if ERRAND_DEFINES
#include <errand/detail/app/json.hpp>
#include <errand/detail/app/table.hpp>  // NOLINT(misc-header-include-cycle): it needs the classes above
#endif

#include <errand/detail/epilogue.hpp>
