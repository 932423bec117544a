// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <errand/detail/base/text.hpp>

namespace errand {

/// What the library throws for a reason that a correct program can meet. Every message names the task, the name or the
/// event that it is about.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// No task is registered under this name.
class TaskNotFound : public Error {
 public:
  /// About this name.
  ERRAND_COLD explicit TaskNotFound(std::string name)
      : Error(detail::text({"no task is named '", name, "'"})), name_(std::move(name)) {}
  /// The name that was asked for.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// The name belongs to a task that is still pending.
class TaskNameInUse : public Error {
 public:
  /// About this name.
  ERRAND_COLD explicit TaskNameInUse(std::string name)
      : Error(detail::text({"the name '", name, "' is in use by a task that is still pending"})),
        name_(std::move(name)) {}
  /// The name that was asked for.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// The task of this name gives a result of another type than the one asked for.
class TaskTypeMismatch : public Error {
 public:
  /// About this name.
  ERRAND_COLD explicit TaskTypeMismatch(std::string name)
      : Error(detail::text({"the task named '", name, "' has a result of another type"})), name_(std::move(name)) {}
  /// The name that was asked for.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// The task, or the future, that you awaited was cancelled. You are not: see `Cancelled` for that.
class TaskCancelled : public Error {
 public:
  /// About the task of this name, which was asked to end for this reason.
  ERRAND_COLD explicit TaskCancelled(std::string name, std::string reason = {})
      : Error(detail::text({"'", name, "' was cancelled", reason.empty() ? "" : ": ", reason})),
        name_(std::move(name)),
        reason_(std::move(reason)) {}
  /// That of the task, or "future".
  const std::string& name() const noexcept { return name_; }
  /// That of the `Cancelled` which ended it; empty where none was given.
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::string name_;
  std::string reason_;
};

/// It took longer than allowed.
class TimeoutError : public Error {
 public:
  TimeoutError() : Error("timed out") {}
  using Error::Error;
};

/// The queue is closed, and no item is left in it.
class QueueClosed : public Error {
 public:
  QueueClosed() : Error("the queue is closed") {}
  using Error::Error;
};

/// The name of an event is malformed, or stands in the reserved namespace `server` and is not one of the library's.
class InvalidEvent : public Error {
 public:
  /// About this name, and what is wrong with it.
  ERRAND_COLD InvalidEvent(std::string event, std::string_view why)
      : Error(detail::text({"'", event, "' is not the name of an event: ", why})), event_(std::move(event)) {}
  /// The name that was given.
  const std::string& event() const noexcept { return event_; }

 private:
  std::string event_;
};

/// A signal carries a payload of another type than the one asked for.
class PayloadTypeMismatch : public Error {
 public:
  using Error::Error;
};

/// Tasks are left, and nothing can ever wake them. The message is the table of what waits where.
class Deadlock : public Error {
 public:
  using Error::Error;
};

/// Misuse: what was asked for makes no sense in this state.
class InvalidState : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Misuse: this belongs to the thread of its App.
class WrongThread : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// You are being cancelled. It is thrown out of an await into the task that was asked to end, so that locals are
/// destroyed and clean-up code runs; catch it to clean up, and let it go on (`throw;`).
///
/// It is not derived from `std::exception`: `catch (const std::exception&)` does not swallow a cancellation. Anyone may
/// throw one: a task that ends with it is cancelled.
class Cancelled final {
 public:
  Cancelled() = default;
  /// With a reason, which those who await the task get in `TaskCancelled::reason`.
  explicit Cancelled(std::string reason) : reason_(std::move(reason)) {}
  /// That of the request, as `Task::cancel` was given it; empty where none was.
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::string reason_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
