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
struct Observer : Waiter {
  Observer() noexcept : Waiter(Kind::observer) {}
  virtual void task_ended(TaskBase& task) noexcept = 0;
  /// Of the observer that makes the task a member of a group: that, and the member after it.
  virtual Branches* group() const noexcept { return nullptr; }
  virtual Chain* next_member() const noexcept { return nullptr; }
};

/// A wait until no task is pending that was there when it began, but for one.
class Drain : public Waiter {
 public:
  bool is_over(const List& pending) const noexcept;

 protected:
  Drain(Drain&&) noexcept = default;
  Drain(TaskBase* except, std::uint64_t upto) noexcept : Waiter(Kind::task), except_(except), upto_(upto) {}
  ~Drain() = default;

 private:
  TaskBase* except_;
  std::uint64_t upto_;
};

/// The place of a task in one of its loop's lists of tasks.
struct TaskLink : Link {};

/// What few tasks have.
struct TaskDetails {
  std::uint64_t id = 0;
  std::string name;
  std::string request_reason;
  std::string end_reason;
  List names;  // those under which it is registered: the registry links its
               // entries here
  std::uint32_t registrations = 0;
  bool is_report = false;  // it dispatches a failure: its own is not dispatched again
};

/// The id of a task and its details, in one word: the id, shifted, with the lowest bit set, or the address of the
/// details, which have the id then.
class Identity {
 public:
  Identity() noexcept = default;
  Identity(const Identity&) = delete;
  ~Identity() { delete details(); }

  void set_id(std::uint64_t id) noexcept { word_ = id << 1 | 1; }
  std::uint64_t id() const noexcept {
    const TaskDetails* const has = details();
    return has ? has->id : word_ >> 1;
  }
  TaskDetails* details() const noexcept {
    return word_ & 1 ? nullptr : reinterpret_cast<TaskDetails*>(static_cast<std::uintptr_t>(word_));
  }
  TaskDetails& make_details() {
    if (TaskDetails* has = details()) return *has;
    auto* made = new TaskDetails;
    made->id = id();
    word_ = reinterpret_cast<std::uintptr_t>(made);
    return *made;
  }

 private:
  std::uint64_t word_ = 1;
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
    if (--references_ == 0) dispose();
  }

  bool done() const noexcept { return status != TaskStatus::pending; }
  std::string name() const;
  TaskDetails& details() { return identity.make_details(); }
  bool has_name() const noexcept { return identity.details() && !identity.details()->name.empty(); }
  bool is_report() const noexcept { return identity.details() && identity.details()->is_report; }
  bool is_registered() const noexcept { return identity.details() && identity.details()->registrations > 0; }
  std::string request_reason() const override {
    return identity.details() ? identity.details()->request_reason : std::string();
  }
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

  Branches* group() const noexcept override {
    const Observer* const member = membership();
    return member ? member->group() : nullptr;
  }
  Chain* next_member() const noexcept override { return membership()->next_member(); }
  void requested_by_group() noexcept override;
  void ended_by_group() noexcept override;

  bool begin() noexcept override;
  /// A task of the same work for another worker; null where there can be none.
  virtual TaskBase* copy_for(Loop&) const { return nullptr; }

  List awaiters;  // suspensions, done-callbacks and observers
  Identity identity;
  TaskStatus status = TaskStatus::pending;
  bool seen = false;   // somebody has looked at its failure
  bool taken = false;  // its result was moved out
  bool has_error = false;

 protected:
  ~TaskBase() { loop->release(); }
  /// Nobody refers to it any more: destroys and frees it.
  virtual void dispose() noexcept = 0;
  /// Destroys the callable that it was made from, if there is one.
  virtual void destroy_work() noexcept {}
  /// The frames are gone and the status is set: tells everyone.
  void end() noexcept;

  /// Whether this is the only reference, so that the result may be moved out.
  bool is_last_reference() const noexcept { return references_ == 1; }

 private:
  const Observer* membership() const noexcept;
  void note_reason(std::string_view reason);
  /// Of its end, those who are seldom there.
  void tell() noexcept;
  /// Reports its failure, where the reference that the caller is about to give back is the last but for the registry's.
  void report_if_unwatched() noexcept;

  std::uint32_t references_ = 1;  // the loop's, until the end
};

/// The task that has this place in a list of tasks.
inline TaskBase& task_of(Link& link) noexcept { return static_cast<TaskBase&>(static_cast<TaskLink&>(link)); }

template <class T>
class TaskState : public TaskBase {
  static_assert(alignof(typename Storage<T>::Value) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "the alignment of a result may not be above the default one: return a std::unique_ptr");

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
  ~TaskState() {
    if (has_error) {
      storage_.destroy_error();
    } else if (status == TaskStatus::succeeded) {
      storage_.destroy_value();
    }
  }

  void dispose() noexcept override {
    this->TaskState::~TaskState();
    operator delete(this, sizeof(TaskState));
  }

  void adopt(Promise<T>& promise) noexcept {
    leaf = &promise;
    promise.chain = this;
    promise.parent = nullptr;
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
      if constexpr (std::is_void_v<T>) {
        succeed();
      } else if constexpr (std::is_nothrow_move_constructible_v<typename Storage<T>::Value>) {
        succeed(std::move(promise.value));
      } else {
        try {
          succeed(std::move(promise.value));
        } catch (...) {
          fail(std::current_exception(), handling<Cancelled>());
        }
      }
    } else {
      fail(promise.take_error(), promise.is_cancelled);
    }
    leaf = nullptr;
    promise.handle().destroy();
    if (flags & has_work) destroy_work();
    loop->current = nullptr;
    end();
  }

 private:
  Storage<T> storage_;
};

// Implementation

inline std::string TaskBase::name() const {
  return has_name() ? identity.details()->name : "Task-" + std::to_string(identity.id());
}

inline bool TaskBase::cancel(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  note_reason(reason);
  ++requests;
  request(asked_by_task);
  return true;
}

inline unsigned TaskBase::uncancel() {
  loop->check_thread();
  if (requests > 0 && --requests == 0 && !done()) withdraw();
  return requests;
}

/// It was the first to observe the task.
inline const Observer* TaskBase::membership() const noexcept {
  if (awaiters.empty()) return nullptr;
  const Waiter& first = static_cast<const Waiter&>(*awaiters.begin());
  if (first.kind != Kind::observer) return nullptr;
  const Observer& observer = static_cast<const Observer&>(first);
  return observer.group() ? &observer : nullptr;
}

inline void TaskBase::requested_by_group() noexcept {
  ++requests;
  try {
    const Branches& of = *group();
    std::string reason;
    if (of.was_asked_by_task()) reason = of.chain()->root().request_reason();
    note_reason(reason);
  } catch (...) {  // no memory: it goes without the reason
  }
}

inline void TaskBase::ended_by_group() noexcept {
  destroy_work();
  end();
}

/// That of the request which is to be thrown, and so of the first.
inline void TaskBase::note_reason(std::string_view reason) {
  if ((identity.details() || !reason.empty()) && !is_asked_by_task()) details().request_reason = reason;
}

inline bool TaskBase::is_around_step() const noexcept {
  const Chain* inner = loop->current ? &loop->current->root() : nullptr;
  while (inner && inner != this) {
    const Branches* const of = loop->members > 0 ? inner->group() : nullptr;
    inner = of ? &of->chain()->root() : nullptr;
  }
  return inner == this;
}

inline bool TaskBase::abort(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  if (state == State::ended) return cancel(reason);  // some of its frames are just being destroyed
  if (is_around_step()) throw InvalidState("task '" + name() + "' cannot be aborted from inside");
  if (identity.details() || !reason.empty()) details().end_reason = reason;
  end_standing();
  return true;
}

inline void TaskBase::end_standing() noexcept {
  if (done()) return;
  status = TaskStatus::cancelled;
  destroy();
  destroy_work();
  if (loop->current == this) loop->current = nullptr;
  end();
}

/// Cancelled before it started.
inline bool TaskBase::begin() noexcept {
  if (TaskDetails* has = identity.details()) has->end_reason = std::move(has->request_reason);
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
  return identity.details() ? identity.details()->end_reason : std::string();
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

ERRAND_NOINLINE inline void TaskBase::report_if_unwatched() noexcept {
  const TaskDetails* const has = identity.details();
  const std::uint32_t registered = has ? has->registrations : 0;
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
  return first == pending.end() ||
         static_cast<const TaskBase&>(static_cast<const TaskLink&>(*first)).identity.id() > upto_;
}

inline void Loop::check_drains() noexcept {
  for (Link* link = drains.begin(); link != drains.end();) {
    Drain& drain = WaitList::of<Drain>(*link);
    link = link->next;
    if (drain.is_over(pending)) drain.wake();
  }
}

ERRAND_NOINLINE inline void TaskBase::tell() noexcept {
  if (!loop->drains.empty()) loop->check_drains();
  if (is_registered()) loop->host->registered_ended(*this);
  if (status == TaskStatus::failed) {
    loop->unseen.push_back(static_cast<TaskLink&>(*this));
    report_if_unwatched();
  }
}

inline void TaskBase::end() noexcept {
  TaskLink::unlink();
  if (identity.details() || status == TaskStatus::failed || !loop->drains.empty()) [[unlikely]]
    tell();
  while (!awaiters.empty()) {
    Waiter& waiter = static_cast<Waiter&>(awaiters.front());
    if (waiter.kind == Kind::task) [[likely]] {
      waiter.wake();
    } else {
      waiter.unlink();
      static_cast<Observer&>(waiter).task_ended(*this);
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
  if (timed_) {
    run_timed(node);
  } else if (node.step == Step::call) {
    current = nullptr;
    static_cast<Call&>(node).run();
  } else {
    run_first(static_cast<Chain&>(node));
  }
}

inline void Loop::run_first(Chain& chain) noexcept {
  current = &chain;
  if (chain.step == Step::first) {
    chain.step = Step::chain;
    if ((chain.flags & (Chain::asked | Chain::has_work)) && !chain.begin()) {
      if (!late_reports_.empty()) report_now();
      return;
    }
  }
  resume(chain);
}

inline void Loop::run_timed(Node& node) noexcept {
  TaskBase* task = nullptr;
  const char* file = nullptr;
  unsigned line = 0;
  const Clock::time_point begun = Clock::now();
  if (node.step != Step::call) {
    Chain& chain = static_cast<Chain&>(node);
    task = &static_cast<TaskBase&>(chain.root());
    task->retain();
    if (chain.leaf && chain.leaf->line > 0) {
      file = chain.leaf->file;
      line = chain.leaf->line;
    }
    run_first(chain);
  } else {
    current = nullptr;
    static_cast<Call&>(node).run();
  }
  const Nanoseconds took = Clock::now() - begun;
  if (took > slow_step_) host->slow_step(task, took, file, line);
  if (task) task->release();
}

}  // namespace errand::detail
