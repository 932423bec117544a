// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <errand/detail/base/text.hpp>

namespace errand {

/// The base of the errors that a correct program can meet. The message names the task, the name or the event that the
/// error is about, if there is one.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thrown if no task is registered under the name that was asked for.
class TaskNotFound : public Error {
 public:
  /// Made for the name that was asked for.
  ERRAND_COLD explicit TaskNotFound(std::string name)
      : Error(detail::text({"no task is named '", name, "'"})), name_(std::move(name)) {}
  /// Returns the name that was asked for.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// Thrown if the name for a new task belongs to a task that is still pending.
class TaskNameInUse : public Error {
 public:
  /// Made for the name that was asked for.
  ERRAND_COLD explicit TaskNameInUse(std::string name)
      : Error(detail::text({"the name '", name, "' is in use by a task that is still pending"})),
        name_(std::move(name)) {}
  /// Returns the name that was asked for.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// Thrown if the task of a name has a result of another type than the one asked for.
class TaskTypeMismatch : public Error {
 public:
  /// Made for the name that was asked for.
  ERRAND_COLD explicit TaskTypeMismatch(std::string name)
      : Error(detail::text({"the task named '", name, "' has a result of another type"})), name_(std::move(name)) {}
  /// Returns the name that was asked for.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// Thrown to a task that awaits another task, or a future, if that one was cancelled. The awaiting task itself is not
/// cancelled: see `Cancelled` for that.
class TaskCancelled : public Error {
 public:
  /// Made for the task of this name, which was cancelled for this reason.
  ERRAND_COLD explicit TaskCancelled(std::string name, std::string reason = {})
      : Error(detail::text({"'", name, "' was cancelled", reason.empty() ? "" : ": ", reason})),
        name_(std::move(name)),
        reason_(std::move(reason)) {}
  /// Returns the name of the task, or "future" if a future was awaited.
  const std::string& name() const noexcept { return name_; }
  /// Returns the reason for which the task was cancelled; empty if none was given.
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::string name_;
  std::string reason_;
};

/// Thrown if something took longer than the time that was allowed for it.
class TimeoutError : public Error {
 public:
  TimeoutError() : Error("timed out") {}
  using Error::Error;
};

/// Thrown by a put into a closed queue, and by a get from a closed queue in which no item is left.
class QueueClosed : public Error {
 public:
  QueueClosed() : Error("the queue is closed") {}
  using Error::Error;
};

/// Thrown if the name of an event is malformed, or is in the namespace `server`, which is reserved, and is not one of
/// the library's own events.
class InvalidEvent : public Error {
 public:
  /// Made for the name that was given; `why` says what is wrong with it.
  ERRAND_COLD InvalidEvent(std::string event, std::string_view why)
      : Error(detail::text({"'", event, "' is not the name of an event: ", why})), event_(std::move(event)) {}
  /// Returns the name that was given.
  const std::string& event() const noexcept { return event_; }

 private:
  std::string event_;
};

/// Thrown if a signal has no payload, or one of another type than the one asked for.
class PayloadTypeMismatch : public Error {
 public:
  using Error::Error;
};

/// Thrown by `App::run` if tasks are left and nothing can ever wake them. The message is a table of these tasks, and of
/// the places at which they wait. A run that handles signals reports it and goes on, because a signal can still come.
class Deadlock : public Error {
 public:
  using Error::Error;
};

/// Thrown for misuse: the call makes no sense in the present state of the object.
class InvalidState : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Thrown for misuse: the object belongs to the thread of its App, and was used on another one.
class WrongThread : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Thrown by an await inside a task that was asked to end, so that its locals are destroyed and its clean-up code runs.
/// Catch it if you have to clean up, and rethrow it (`throw;`).
///
/// It is not derived from `std::exception`, so that `catch (const std::exception&)` does not swallow a cancellation.
/// Any code may throw one: a task that ends with it is cancelled.
class Cancelled final {
 public:
  Cancelled() = default;
  /// Made with a reason, which tasks that await the cancelled task find in `TaskCancelled::reason`.
  explicit Cancelled(std::string reason) : reason_(std::move(reason)) {}
  /// Returns the reason, as it was given to `Task::cancel`; empty if none was given.
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::string reason_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
