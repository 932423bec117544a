// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <errand/app.hpp>
#include <errand/detail/app/trace_file.hpp>
#include <errand/detail/app/trace_rows.hpp>
#include <errand/detail/base/json.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/trace.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end

namespace errand {

// Implementation: the events of a trace.

namespace detail {

/// Makes the lines of a trace from what the Observer is told. In the words of the format, the file has a process for
/// each App, and in it a thread for each task. An arrow is a flow: its "s" stands inside the step that has woken or
/// added the task, and its "f" at the beginning of the task's next step. The lines of a process are in the order of
/// their times: a slice is written at its end, and so the events inside it are kept until then.
class TraceEvents {
 public:
  explicit TraceEvents(const std::string& path) : file_(path) {}
  TraceEvents(const TraceEvents&) = delete;
  TraceEvents& operator=(const TraceEvents&) = delete;
  ~TraceEvents() {
    while (first_) delete std::exchange(first_, first_->next);
  }

  /// Calls a member, unless the file takes no more events. Does not throw: an error ends the trace.
  template <class... Args>
  void tell(void (TraceEvents::*member)(const Args&...), const Args&... args) noexcept {
    const std::lock_guard lock(mutex_);
    if (!file_.takes_events()) return;
    try {
      (this->*member)(args...);
    } catch (...) {
      file_.fail(ENOMEM);  // nothing but `std::bad_alloc` is thrown
    }
  }
  void flush() {
    const std::lock_guard lock(mutex_);
    file_.write();
    file_.check();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    file_.close();
  }

  void begin_step(const TaskEvent& event);
  void end_step(const TaskEvent& event);
  void end_task(const TaskEvent& event);
  void sleep(const Clock::time_point& from, const Clock::time_point& to);
  /// Begins an arrow from the step that is under way, which has added this task.
  void begin_arrow_to_new(const TaskEvent& event);
  /// Begins an arrow from the step that is under way, which has woken this task.
  void begin_arrow(const TaskEvent& event);

 private:
  using Row = TraceRows::Row;
  struct Process {
    std::uint64_t loop = 0;  // the number of the loop of the App
    std::uint64_t number = 0;
    bool has_slept = false;    // the file has the name of the row of the loop
    TraceRows rows;            // of tasks that have made a step, or to which an arrow goes
    std::uint64_t acting = 0;  // the id of the task whose step is under way; 0 if there is none
    Clock::time_point began;   // when this step has begun
    std::string inside;        // the events inside this step
    std::string end;           // how the task has ended in this step; empty if it has not
    Process* next = nullptr;
  };

  /// Returns the process of the App that runs on this thread; null if there is none.
  Process* current();
  void begin_process(Process& process, const App& app);
  void begin_row(const Process& process, const TaskEvent& event, Row& row);
  void end_arrow(const Process& process, const TaskEvent& event, Row& row);

  // These write the parts of lines. An event that `begin` has begun ends with `add("}")`.
  void add(std::string_view text) { lines_ += text; }
  void add(std::uint64_t value);
  void add_time(Nanoseconds time);
  void begin(std::string_view kind, const Process& process, std::uint64_t row);
  void begin(std::string_view kind, const Process& process, std::uint64_t row, Clock::time_point time);
  void begin_slice(const Process& process, std::uint64_t row, Clock::time_point from, Clock::time_point to);
  void arrow(std::string_view kind, const Process& process, const TaskEvent& event, std::uint64_t row,
             std::uint64_t id);
  void name(std::string_view what, const Process& process, std::uint64_t row, std::string_view name);
  /// Moves the lines to the file or, if a step is under way, to the events inside it.
  void keep_lines(Process& process, Clock::time_point time);

  static constexpr std::uint64_t row_of_loop = 0;  // a number that is not the id of a task

  std::mutex mutex_;  // held during each call
  TraceFile file_;
  const Clock::time_point start_ = Clock::now();
  Process* first_ = nullptr;  // of the processes; a new App may take over that of one that has ended
  std::uint64_t process_count_ = 0;
  std::uint64_t arrow_count_ = 0;
  std::string lines_;  // of the event that is told; one for all events, so that it keeps its memory
};

inline void TraceEvents::begin_step(const TaskEvent& event) {
  Process* const found = current();
  if (!found) return;
  Process& process = *found;
  Row& row = process.rows.at(event.id);
  begin_row(process, event, row);
  keep_lines(process, event.time);
  end_arrow(process, event, row);
  process.acting = event.id;
  process.began = event.time;
  keep_lines(process, event.time);
}

inline void TraceEvents::end_step(const TaskEvent& event) {
  Process* const found = current();
  if (!found || found->acting != event.id) return;
  Process& process = *found;
  begin_slice(process, event.id, process.began, event.time);
  if (process.end.empty()) process.end = "ended";  // an observer of the user's may not pass `task_ended` on
  append_json(lines_, event.what.empty() ? process.end : event.what);
  if (!event.file.empty()) {
    add(" at ");
    append_json(lines_, event.file);
    add(":");
    add(event.line);
  }
  add("\"}");
  process.acting = 0;
  process.end.clear();
  keep_lines(process, event.time);
  file_.add(process.inside, event.time);
  process.inside.clear();
}

inline void TraceEvents::end_task(const TaskEvent& event) {
  Process* const process = current();
  if (!process) return;
  if (process->acting == event.id) {
    process->end = event.what;
  } else {
    Row& row = process->rows.at(event.id);
    begin_row(*process, event, row);
    begin_slice(*process, event.id, event.time, event.time);
    append_json(lines_, event.what);
    add("\"}");
    end_arrow(*process, event, row);
    keep_lines(*process, event.time);
  }
  process->rows.remove(event.id);
}

inline void TraceEvents::sleep(const Clock::time_point& from, const Clock::time_point& to) {
  Process* const found = current();
  if (!found) return;
  Process& process = *found;
  if (!process.has_slept) name("thread_name", process, row_of_loop, "loop");
  process.has_slept = true;
  begin_slice(process, row_of_loop, from, to);
  add("sleep\"}");
  keep_lines(process, to);
}

inline void TraceEvents::begin_arrow_to_new(const TaskEvent& event) {
  if (event.cause == 0) return;
  if (Process* const process = current()) process->rows.at(event.id);
  begin_arrow(event);
}

inline void TraceEvents::begin_arrow(const TaskEvent& event) {
  if (event.cause == 0) return;
  Process* const process = current();
  if (!process || process->acting != event.cause) return;
  Row* const row = process->rows.find(event.id);
  if (!row || row->arrow != 0) return;
  row->arrow = ++arrow_count_;
  arrow("s", *process, event, event.cause, arrow_count_);
  add("}");
  keep_lines(*process, event.time);
}

inline void TraceEvents::end_arrow(const Process& process, const TaskEvent& event, Row& row) {
  if (row.arrow == 0) return;
  arrow("f", process, event, event.id, row.arrow);
  add(R"(,"bp":"e"})");
  row.arrow = 0;
}

inline void TraceEvents::begin_row(const Process& process, const TaskEvent& event, Row& row) {
  if (row.has_name) return;
  name("thread_name", process, event.id, event.name);
  begin("M", process, event.id);
  add(R"(,"name":"thread_sort_index","args":{"sort_index":)");
  add(event.id);
  add("}}");
  row.has_name = true;
}

inline TraceEvents::Process* TraceEvents::current() {
  const Loop* const loop = this_thread().loop;
  if (!loop) return nullptr;
  for (Process* process = first_; process; process = process->next) {
    if (process->loop == loop->number()) return process;
  }
  Owner<Process> made(new Process);
  made->loop = loop->number();
  begin_process(*made, *loop->app);
  made->next = first_;
  return first_ = made.release();
}

inline void TraceEvents::begin_process(Process& process, const App& app) {
  process.number = ++process_count_;
  const unsigned worker = app.worker();
  name("process_name", process, row_of_loop,
       worker == 0 ? app.name() : text({app.name(), ", worker ", number(worker)}));
}

inline void TraceEvents::add(std::uint64_t value) {
  char digits[20];
  char* const end = digits + sizeof digits;
  char* at = end;
  do {
    *--at = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  lines_.append(at, static_cast<std::size_t>(end - at));
}

/// Adds a number of microseconds, with all nanoseconds.
inline void TraceEvents::add_time(Nanoseconds time) {
  const std::uint64_t count = time < Nanoseconds::zero() ? 0 : static_cast<std::uint64_t>(time.count());
  add(count / 1000);
  const std::uint64_t fraction = 1000 + count % 1000;  // the 1 in front keeps the zeros behind it
  const std::size_t point = lines_.size();
  add(fraction);
  lines_[point] = '.';
}

inline void TraceEvents::begin(std::string_view kind, const Process& process, std::uint64_t row) {
  add(",\n{\"ph\":\"");
  add(kind);
  add("\",\"pid\":");
  add(process.number);
  add(",\"tid\":");
  add(row);
}

inline void TraceEvents::begin(std::string_view kind, const Process& process, std::uint64_t row,
                               Clock::time_point time) {
  begin(kind, process, row);
  add(",\"ts\":");
  add_time(time - start_);
}

/// The name of the slice, and its end, are still to be added.
inline void TraceEvents::begin_slice(const Process& process, std::uint64_t row, Clock::time_point from,
                                     Clock::time_point to) {
  begin("X", process, row, from);
  add(",\"dur\":");
  add_time(to - from);
  add(",\"name\":\"");
}

inline void TraceEvents::arrow(std::string_view kind, const Process& process, const TaskEvent& event, std::uint64_t row,
                               std::uint64_t id) {
  begin(kind, process, row, event.time);
  add(",\"id\":");
  add(id);
  add(R"(,"cat":"arrow","name":"wake")");
}

inline void TraceEvents::name(std::string_view what, const Process& process, std::uint64_t row, std::string_view name) {
  begin("M", process, row);
  add(",\"name\":\"");
  add(what);
  add(R"(","args":{"name":")");
  append_json(lines_, name);
  add("\"}}");
}

inline void TraceEvents::keep_lines(Process& process, Clock::time_point time) {
  if (process.acting == 0) {
    file_.add(lines_, time);
  } else {
    process.inside += lines_;
    if (process.inside.size() >= TraceFile::most) {
      file_.add(process.inside, time);
      process.inside.clear();
    }
  }
  lines_.clear();
}

}  // namespace detail

ERRAND_ONCE Trace::Trace(const std::string& path) : events_(new detail::TraceEvents(path)) {}

ERRAND_ONCE Trace::~Trace() = default;

ERRAND_ONCE void Trace::flush() { events_->flush(); }

ERRAND_ONCE void Trace::close() { events_->close(); }

ERRAND_ONCE void Trace::task_added(const TaskEvent& event) {
  events_->tell(&detail::TraceEvents::begin_arrow_to_new, event);
}

ERRAND_ONCE void Trace::step_began(const TaskEvent& event) { events_->tell(&detail::TraceEvents::begin_step, event); }

ERRAND_ONCE void Trace::step_ended(const TaskEvent& event) { events_->tell(&detail::TraceEvents::end_step, event); }

ERRAND_ONCE void Trace::woken(const TaskEvent& event) { events_->tell(&detail::TraceEvents::begin_arrow, event); }

ERRAND_ONCE void Trace::task_ended(const TaskEvent& event) { events_->tell(&detail::TraceEvents::end_task, event); }

ERRAND_ONCE void Trace::slept(Clock::time_point from, Clock::time_point to) {
  events_->tell(&detail::TraceEvents::sleep, from, to);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
