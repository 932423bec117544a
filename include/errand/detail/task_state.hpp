// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/callback.hpp>

namespace errand {

enum class TaskStatus : std::uint8_t { pending, succeeded, failed, cancelled };

}  // namespace errand

namespace errand::detail {

/// Is told on the spot that a task has ended, in its place among the task's awaiters.
struct Observer : Node {
  Observer() noexcept : Node(Kind::observer) {}
  ~Observer() {
    if (linked()) unlink();
  }
  virtual void task_ended(TaskBase& task) noexcept = 0;
  /// The chain that the task goes with, if any.
  virtual Chain* goes_with() const noexcept { return nullptr; }
};

/// A wait until no task is pending that was there when it began, but for one.
class Drain : public Suspension {
 public:
  bool is_over(const List& pending) const noexcept;

 protected:
  Drain(Drain&&) noexcept = default;
  Drain(TaskBase* except, std::uint64_t upto) noexcept : Suspension(Kind::task), except_(except), upto_(upto) {}
  ~Drain() = default;

 private:
  TaskBase* except_;
  std::uint64_t upto_;
};

/// The place of a task in one of its loop's lists of tasks.
struct TaskLink : Link {};

/// What few tasks have.
struct TaskDetails {
  std::string name;
  std::string request_reason;
  std::string end_reason;
  List names;  // those under which it is registered: the registry links its
               // entries here
  std::uint32_t registrations = 0;
  bool is_report = false;  // it dispatches a failure: its own is not dispatched again
};

/// What handles refer to. Counted: each handle has a reference, each name in the registry one, and the loop one until
/// the task ends. Where only the latter two are left, nobody can be waiting for the task.
class TaskBase : public Chain, public TaskLink, public Pooled {
 public:
  explicit TaskBase(Loop& its_loop) noexcept : Chain(&its_loop) { its_loop.retain(); }

  void retain() noexcept { ++references_; }
  /// Gives a reference back. A failure at which nobody can look any more is reported.
  void release() noexcept {
    if (status == TaskStatus::failed && !seen) [[unlikely]]
      report_if_unwatched();
    if (--references_ == 0) delete this;
  }

  bool done() const noexcept { return status != TaskStatus::pending; }
  std::string name() const;
  TaskDetails& details() {
    if (!details_) details_ = std::make_unique<TaskDetails>();
    return *details_;
  }
  bool has_name() const noexcept { return details_ && !details_->name.empty(); }
  bool is_report() const noexcept { return details_ && details_->is_report; }
  bool is_registered() const noexcept { return details_ && details_->registrations > 0; }
  std::string request_reason() const override { return details_ ? details_->request_reason : std::string(); }
  Chain& root() noexcept final { return *this; }

  bool cancel(std::string_view reason);
  bool abort(std::string_view reason);
  unsigned uncancel();
  /// Whether the step that is under way is one of this task, or of a member of a group of it.
  bool is_around_step() const noexcept;
  bool is_running() const noexcept {
    return loop->current && status == TaskStatus::pending && &loop->current->root() == this;
  }

  /// Somebody looks at how it ended: a failure need not be reported any more.
  void look() noexcept {
    if (seen) return;
    seen = true;
    if (status == TaskStatus::failed && TaskLink::linked()) TaskLink::unlink();
  }
  /// What it failed with, or was cancelled by, if anything was thrown.
  virtual std::exception_ptr error() const noexcept = 0;
  /// The reason of the `Cancelled` that ended it.
  std::string end_reason();
  /// Throws what an awaiter gets, of a task that has not succeeded.
  [[noreturn]] void throw_failure();
  /// As above, of one that has succeeded but whose result somebody took.
  [[noreturn]] void throw_taken() const;
  [[noreturn]] void throw_pending() const;

  /// Ends it as cancelled where it stands, which is not inside a step.
  void end_standing() noexcept;

  bool begin() noexcept override;
  /// A task of the same work for another worker; null where there can be none.
  virtual TaskBase* copy_for(Loop&) const { return nullptr; }

  List awaiters;  // suspensions, done-callbacks and observers
  std::uint64_t id = 0;
  TaskStatus status = TaskStatus::pending;
  bool seen = false;   // somebody has looked at its failure
  bool taken = false;  // its result was moved out
  bool has_error = false;

 protected:
  virtual ~TaskBase() { loop->release(); }
  /// Destroys the callable that it was made from, if there is one.
  virtual void destroy_work() noexcept {}
  /// The frames are gone and the status is set: tells everyone.
  void end() noexcept;

  /// Whether this is the only reference, so that the result may be moved out.
  bool is_last_reference() const noexcept { return references_ == 1; }

 private:
  /// Reports its failure, where the reference that the caller is about to give back is the last but for the registry's.
  void report_if_unwatched() noexcept;

  std::uint32_t references_ = 1;  // the loop's, until the end
  std::unique_ptr<TaskDetails> details_;
};

/// The task that has this place in a list of tasks.
inline TaskBase& task_of(Link& link) noexcept { return static_cast<TaskBase&>(static_cast<TaskLink&>(link)); }

template <class T>
class TaskState : public TaskBase {
 public:
  /// A task of a coroutine, which belongs to it from now on.
  TaskState(Loop& its_loop, Promise<T>& promise) noexcept : TaskBase(its_loop) { adopt(promise); }

  std::exception_ptr error() const noexcept final { return has_error ? storage_.error : nullptr; }

  /// The result where it stands. Of a task that has succeeded.
  decltype(auto) value() {
    if (taken) throw_taken();
    return storage_.get();
  }

  /// The result for a handle that is given up: moved out where no other handle is left, or where it cannot be copied.
  T take() {
    if (taken) throw_taken();
    if constexpr (std::is_lvalue_reference_v<T>) {
      return storage_.get();
    } else if constexpr (!std::is_void_v<T>) {
      if constexpr (!std::is_copy_constructible_v<T>) {
        taken = true;
        return std::move(storage_.get());
      } else {
        if (is_last_reference()) return std::move(storage_.get());
        return std::as_const(storage_).value;
      }
    }
  }

 protected:
  explicit TaskState(Loop& its_loop) noexcept : TaskBase(its_loop) {}
  ~TaskState() override {
    if (has_error) {
      storage_.destroy_error();
    } else if (status == TaskStatus::succeeded) {
      storage_.destroy_value();
    }
  }

  void adopt(Promise<T>& promise) noexcept {
    leaf = &promise;
    promise.chain = this;
  }
  template <class... Args>
  void succeed(Args&&... args) {
    storage_.set_value(std::forward<Args>(args)...);
    status = TaskStatus::succeeded;
  }
  void fail(std::exception_ptr error, bool is_cancelled) noexcept {
    storage_.set_error(std::move(error));
    has_error = true;
    status = is_cancelled ? TaskStatus::cancelled : TaskStatus::failed;
  }

  void ended() noexcept final {
    Promise<T>& promise = static_cast<Promise<T>&>(*leaf);
    if (promise.has_value) {
      if constexpr (std::is_nothrow_move_constructible_v<typename Storage<T>::Value>) {
        succeed(std::move(promise.storage.value));
      } else {
        try {
          succeed(std::move(promise.storage.value));
        } catch (...) {
          fail(std::current_exception(), handling<Cancelled>());
        }
      }
    } else {
      fail(std::move(promise.storage.error), promise.is_cancelled);
    }
    leaf = nullptr;
    promise.handle().destroy();
    destroy_work();
    end();
  }

 private:
  Storage<T> storage_;
};

// Implementation

inline std::string TaskBase::name() const { return has_name() ? details_->name : "Task-" + std::to_string(id); }

inline bool TaskBase::cancel(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  if (details_ || !reason.empty()) {
    if (!is_asked_by_task()) details().request_reason = reason;
  }
  ++requests;
  request(asked_by_task);
  return true;
}

inline unsigned TaskBase::uncancel() {
  loop->check_thread();
  if (requests > 0 && --requests == 0 && !done()) withdraw();
  return requests;
}

inline bool TaskBase::is_around_step() const noexcept {
  const Chain* inner = loop->current ? &loop->current->root() : nullptr;
  while (inner) {
    if (inner == this) return true;
    const TaskBase& task = static_cast<const TaskBase&>(*inner);
    inner = nullptr;
    for (const Link* link = task.awaiters.begin(); !inner && link != task.awaiters.end(); link = link->next) {
      const Node& node = static_cast<const Node&>(*link);
      if (node.kind != Kind::observer) continue;
      if (Chain* with = static_cast<const Observer&>(node).goes_with()) inner = &with->root();
    }
  }
  return false;
}

inline bool TaskBase::abort(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  if (is_around_step()) throw InvalidState("task '" + name() + "' cannot be aborted from inside");
  if (details_ || !reason.empty()) details().end_reason = reason;
  end_standing();
  return true;
}

inline void TaskBase::end_standing() noexcept {
  if (done()) return;
  status = TaskStatus::cancelled;
  destroy();
  destroy_work();
  end();
}

/// Cancelled before it started.
inline bool TaskBase::begin() noexcept {
  if (details_) details_->end_reason = std::move(details_->request_reason);
  end_standing();
  return false;
}

inline std::string TaskBase::end_reason() {
  if (const std::exception_ptr thrown = error()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Cancelled& cancelled) {
      return cancelled.reason();
    } catch (...) {
    }
  }
  return details_ ? details_->end_reason : std::string();
}

ERRAND_NOINLINE inline void TaskBase::throw_failure() {
  look();
  if (status == TaskStatus::failed) std::rethrow_exception(error());
  throw TaskCancelled(name(), end_reason());
}

ERRAND_NOINLINE inline void TaskBase::throw_taken() const {
  throw InvalidState("the result was taken from task '" + name() + "'");
}

ERRAND_NOINLINE inline void TaskBase::throw_pending() const {
  throw InvalidState("task '" + name() + "' is pending: it has no result yet");
}

inline void TaskBase::report_if_unwatched() noexcept {
  const std::uint32_t registered = details_ ? details_->registrations : 0;
  if (references_ != registered + 1 || !awaiters.empty() || !loop->app) return;
  look();
  loop->host->report(this, error());
}

/// The tasks stand in the order of their ids, so that a look at the first will do.
inline bool Drain::is_over(const List& pending) const noexcept {
  const Link* first = pending.begin();
  if (first != pending.end() && &static_cast<const TaskBase&>(static_cast<const TaskLink&>(*first)) == except_) {
    first = first->next;
  }
  return first == pending.end() || static_cast<const TaskBase&>(static_cast<const TaskLink&>(*first)).id > upto_;
}

inline void Loop::check_drains() noexcept {
  for (Link* link = drains.begin(); link != drains.end();) {
    Drain& drain = WaitList::of<Drain>(*link);
    link = link->next;
    if (drain.is_over(pending)) drain.wake();
  }
}

inline void TaskBase::end() noexcept {
  TaskLink::unlink();
  if (loop->current == this) loop->current = nullptr;
  if (!loop->drains.empty()) [[unlikely]]
    loop->check_drains();
  if (is_registered()) loop->host->registered_ended(*this);
  if (status == TaskStatus::failed) {
    loop->unseen.push_back(static_cast<TaskLink&>(*this));
    report_if_unwatched();
  }
  while (!awaiters.empty()) {
    Node& node = static_cast<Node&>(awaiters.front());
    if (node.kind == Kind::task) {
      static_cast<Suspension&>(node).wake();
      continue;
    }
    node.unlink();
    if (node.kind == Kind::observer) {
      static_cast<Observer&>(node).task_ended(*this);
    } else {
      static_cast<Callback&>(node).task_ended(*this);
      loop->make_ready(node);
    }
  }
  release();
}

inline void Loop::report_later(TaskBase& task, std::exception_ptr error) noexcept {
  task.retain();
  try {
    late_reports_.push_back({&task, error});
  } catch (...) {
    host->report(&task, std::move(error));
    task.release();
  }
}

inline void Loop::report_now() noexcept {
  while (!late_reports_.empty()) {
    const std::vector<LateReport> reports = std::exchange(late_reports_, {});
    for (const LateReport& report : reports) {
      if (host) host->report(report.task, report.error);
      report.task->release();
    }
  }
}

/// What is no plain step.
ERRAND_NOINLINE inline void Loop::run(Node& node) noexcept {
  if (timed_) return run_timed(node);
  current = nullptr;
  static_cast<Call&>(node).run();
}

inline void Loop::run_timed(Node& node) noexcept {
  TaskBase* task = nullptr;
  const char* file = nullptr;
  unsigned line = 0;
  const Clock::time_point begun = Clock::now();
  if (node.kind == Kind::chain) {
    Chain& chain = static_cast<Chain&>(node);
    task = &static_cast<TaskBase&>(chain.root());
    task->retain();
    if (chain.leaf) {
      file = chain.leaf->file;
      line = chain.leaf->line;
    }
    resume(chain);
  } else {
    current = nullptr;
    static_cast<Call&>(node).run();
  }
  const Nanoseconds took = Clock::now() - begun;
  if (took > slow_step_) host->slow_step(task, took, file, line);
  if (task) task->release();
}

}  // namespace errand::detail
