// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <errand/finally.hpp>

namespace errand {

/// A group of tasks that end together: `run` returns when its body and all members of the group have ended.
///
/// The first failure, of a member or of the body, cancels the others: the members in the order added, then the body. It
/// is rethrown as it is; what fails later is reported. If a member is cancelled or aborted, and the group is not, that
/// is no failure.
///
/// If the caller is cancelled, the members and the body are cancelled. If only members are left at that time,
/// `Cancelled` comes out when they have ended, unless one of them swallowed it.
///
///     co_await errand::TaskGroup::run([&](errand::TaskGroup& group) -> errand::Coro<> {
///       for (const auto& url : urls) group.add(fetch(url));
///       co_return;
///     });
class TaskGroup : private detail::Branches {
 public:
  /// Calls `body(group)`, awaits the Coro that it returns, as a part of the calling task, and then waits for all
  /// members. Returns the result of the body. Throws the first failure, as described above, and `Cancelled` if the
  /// caller is asked to end.
  template <class Body>
  static auto run(Body&& body);

  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts a member, which is a task of its own, from a Coro or a callable, and returns its handle, like
  /// `create_task`. Throws `InvalidState` if the group is ending (the body or a member has failed, or the group was
  /// cancelled), and `WrongThread` on another thread; the work is destroyed unrun then.
  template <class Work>
  typename detail::WorkTraits<Work&&>::Handle add(Work&& work, std::string name = {});

  /// Asks the body and all members to end, with this reason; nothing can be added from here on. `run` then returns
  /// normally, unless somebody fails. But if the result of the body is not `void` and this request has ended the body,
  /// `Cancelled` comes out. Does nothing if the group is ending already. Throws `WrongThread` on another thread.
  void cancel(std::string_view reason = {});

 private:
  class Member;
  template <class F>
  using BodyResult = typename detail::TaskResult<std::invoke_result_t<F&, TaskGroup&>>::type;

  TaskGroup() noexcept : Branches(detail::Kind::task_group) {}
  ~TaskGroup();
  template <class F>
  static Coro<BodyResult<F>> run_body(F body);

  ERRAND_ONCE void branch_ended(detail::BranchBase& body) noexcept override;
  void asked_to_end() noexcept override { is_ending_ = true; }
  void over() noexcept override {
    is_ending_ = true;
    throws_request_ = waits_for_members_ && is_member_cancelled_ && has_unused();
  }
  bool has_pending() const noexcept override { return live.empty() && has_unused(); }
  std::string reason() const override { return reason_; }
  TaskStatus end_status() const noexcept override {
    if (error_) return TaskStatus::failed;
    return is_body_cancelled_ ? TaskStatus::cancelled : TaskStatus::succeeded;
  }
  void about_to_destroy() noexcept override { is_ending_ = is_destroyed_ = true; }
  ERRAND_ONCE detail::Chain* first_member() noexcept override;
  ERRAND_ONCE detail::Chain* next_to_destroy() noexcept override;
  bool is_over() const noexcept override { return live.empty() && members_.empty(); }
  void member_ended(Member& member, detail::TaskBase& task) noexcept;
  void fail(std::exception_ptr error) noexcept;
  void end_all(std::string_view reason) noexcept;

  detail::List members_;
  bool is_body_cancelled_ = false;
  bool waits_for_members_ = false;    // the body has ended before the members
  bool is_member_cancelled_ = false;  // a request to the group has cancelled a member
  bool throws_request_ = false;       // a request came while only members were left, and no member has swallowed it
  bool is_ending_ = false;
  bool is_cancelled_ = false;  // `cancel` was called
  bool is_destroyed_ = false;
  std::string reason_;  // the reason that `cancel` was given
  std::exception_ptr error_;
};

// Implementation

/// A member whose task has not ended: it follows the task, and is destroyed when the task ends.
class TaskGroup::Member final : public detail::Follower, public detail::Pooled {
 public:
  Member(TaskGroup& group, detail::TaskBase& task) noexcept : group_(group), task_(task) {
    entry_.member = this;
    ++task.loop->members;
  }
  ~Member() {
    --task_.loop->members;
    entry_.unlink();
  }

  struct Entry : detail::Link {
    Member* member;
  };

 private:
  friend TaskGroup;
  detail::Branches* group() const noexcept override { return &group_; }
  detail::Chain* next_member() const noexcept override {
    return entry_.next == group_.members_.end() ? nullptr : &of(*entry_.next).task_;
  }
  void task_ended(detail::TaskBase& task) noexcept override { group_.member_ended(*this, task); }

  static Member& of(detail::Link& entry) noexcept { return *static_cast<Entry&>(entry).member; }

  TaskGroup& group_;
  detail::TaskBase& task_;
  Entry entry_;  // in `members_`, which has the order added
};

template <class Work>
typename detail::WorkTraits<Work&&>::Handle TaskGroup::add(Work&& work, std::string name) {
  static_assert(!detail::is_task_handle<std::remove_cvref_t<Work>>, "a TaskGroup takes a Coro or a callable");
  constexpr const char* refused = "the TaskGroup is ending and takes no more members";
  detail::Loop& loop = *chain()->loop;
  loop.check_thread();
  if (is_ending_) throw InvalidState(refused);
  auto& task = detail::make_task(loop, std::forward<Work>(work));
  typename detail::WorkTraits<Work&&>::Handle handle{detail::TaskHandle(task)};
  try {
    if (is_ending_) throw InvalidState(refused);  // the copy of the work has made the group end
    if (!name.empty()) task.details().name = std::move(name);
    auto* member = new Member(*this, task);
    members_.push_back(member->entry_);
    task.awaiters.push_front(*member);
  } catch (...) {
    task.abort_if_pending();
    throw;
  }
  detail::queue_task(task);
  return handle;
}

template <class F>
Coro<TaskGroup::BodyResult<F>> TaskGroup::run_body(F body) {
  TaskGroup group;
  group.chain_ = &co_await detail::ThisChain();
  std::optional<detail::Branch<BodyResult<F>>> branch;
  try {
    auto coro = body(group);
    group.Branches::add(branch.emplace(coro));
  } catch (...) {
    group.fail(std::current_exception());
  }
  co_await static_cast<detail::Branches&>(group);
  if (group.error_) std::rethrow_exception(group.error_);
  if (group.throws_request_) group.chain()->throw_if_asked();
  if constexpr (std::is_void_v<BodyResult<F>>) {
    if (group.is_cancelled_ && branch->status == TaskStatus::cancelled && !branch->was_thrown) co_return;
  }
  co_return branch->take();
}

template <class Body>
auto TaskGroup::run(Body&& body) {
  using F = std::decay_t<Body>;
  static_assert(std::is_invocable_v<F&, TaskGroup&>, "TaskGroup::run takes a callable f(TaskGroup&) that gives a Coro");
  detail::check_awaited_callable<Body>();
  return run_body<F>(std::forward<Body>(body));
}

#if ERRAND_DEFINES

ERRAND_ONCE TaskGroup::~TaskGroup() {
  while (!members_.empty()) delete &Member::of(members_.front());
  if (!goes_on() && error_) detail::report_branch(*chain(), std::move(error_));  // the group was destroyed
}

ERRAND_ONCE void TaskGroup::branch_ended(detail::BranchBase& body) noexcept {
  waits_for_members_ = !members_.empty();
  is_body_cancelled_ = body.status == TaskStatus::cancelled;
  use_thrown(body);
  if (body.status == TaskStatus::failed) {
    fail(body.error());
  } else if (is_body_cancelled_ || has_unused()) {
    end_all(chain()->reason_of_request(was_asked_by_task()));
  }
}

ERRAND_ONCE detail::Chain* TaskGroup::first_member() noexcept {
  return members_.empty() ? nullptr : &Member::of(members_.front()).task_;
}

/// Members go before the frames of the body and of the caller, because they may refer to these: the last added first. A
/// member that is running cannot be destroyed; it is asked to end, and let go.
ERRAND_ONCE detail::Chain* TaskGroup::next_to_destroy() noexcept {
  while (!members_.empty()) {
    Member& member = Member::of(members_.back());
    detail::TaskBase& task = member.task_;
    if (!task.is_running()) {
      if (!task.done()) task.set_cancelled();
      return &task;
    }
    delete &member;
    task.cancel({});
  }
  return Branches::next_to_destroy();
}

ERRAND_ONCE void TaskGroup::member_ended(Member& member, detail::TaskBase& task) noexcept {
  delete &member;
  if (is_destroyed_) return;
  if (task.status == TaskStatus::failed) {
    task.look();
    fail(task.error());
  } else if (!was_asked() || !is_ending_) {  // no request has reached the members
  } else if (task.status == TaskStatus::cancelled) {
    is_member_cancelled_ = true;
  } else if (!(task.flags & detail::Chain::asked_by_task)) {
    use_all();  // the member has swallowed the request
  }
  check_over();
}

/// Called when the body or a member has failed. The first error ends the group; the others are reported.
ERRAND_ONCE void TaskGroup::fail(std::exception_ptr error) noexcept {
  if (error_) {
    chain()->loop->report_later(static_cast<detail::TaskBase&>(chain()->root()), error);
    return;
  }
  error_ = error;
  end_all({});
}

ERRAND_ONCE void TaskGroup::end_all(std::string_view reason) noexcept {
  if (is_ending_) return;
  is_ending_ = true;
  for (detail::Link* link = members_.begin(); link != members_.end(); link = link->next) {
    detail::TaskBase& task = Member::of(*link).task_;
    if (!task.done()) task.ask_to_end(reason);
  }
  decide();
}

ERRAND_ONCE void TaskGroup::cancel(std::string_view reason) {
  chain()->loop->check_thread();
  if (is_ending_) return;
  reason_ = reason;
  is_cancelled_ = true;
  end_all(reason);
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
