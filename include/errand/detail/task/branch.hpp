// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/coro/branches.hpp>
#include <errand/detail/task/task_base.hpp>
#include <errand/outcome.hpp>

namespace errand::detail {

/// A branch with the room for its result, or for the error with which it ended.
template <class T>
class ResultBranch : public BranchBase {
 public:
  ResultBranch(ResultBranch&&) = delete;

  std::exception_ptr error() const noexcept final { return has_error() ? storage_.error : nullptr; }
  /// Returns the value of a branch that has ended. If the branch has no value, throws the error with which it ended.
  T take() {
    if (has_error()) std::rethrow_exception(storage_.error);
    if constexpr (std::is_reference_v<T>) {
      return storage_.get();
    } else if constexpr (!std::is_void_v<T>) {
      return T(std::move(storage_.value));
    }
  }
  /// Returns the value or the error of a branch that has ended. Throws only what the move of the value throws.
  Outcome<T> outcome() {
    if (has_error()) return Outcome<T>(storage_.error, status == TaskStatus::cancelled || observed_cancelled);
    if constexpr (std::is_void_v<T>) {
      return Outcome<T>(std::in_place);
    } else {
      return Outcome<T>(std::in_place, take());
    }
  }

 protected:
  ResultBranch() noexcept = default;
  ~ResultBranch() {
    if (has_error()) storage_.destroy_error();
    if (status == TaskStatus::succeeded) storage_.destroy_value();
  }
  bool has_error() const noexcept { return status == TaskStatus::failed || status == TaskStatus::cancelled; }
  // How a branch ends if it has no value. The caller then calls `tell_combinator`.
  ERRAND_COLD void fail(std::exception_ptr error) noexcept {
    storage_.set_error(std::move(error));
    status = TaskStatus::failed;
  }
  ERRAND_COLD void cancel(std::string reason) noexcept {
    storage_.set_error(std::make_exception_ptr(Cancelled(std::move(reason))));
    status = TaskStatus::cancelled;
  }
  void tell_combinator() noexcept {
    state = State::ended;
    combinator->finished(*this);
  }

  Storage<T> storage_;
};

/// A branch with a coroutine. The frame is destroyed as soon as the coroutine has ended.
template <class T>
class Branch final : public ResultBranch<T> {
 public:
  explicit Branch(Coro<T>& coro) {
    if (!coro) throw_empty_coro();
    coro.get()->check_frame();
    this->leaf = coro.release()->begin_chain(this->storage_);
  }
  ~Branch() {
    if (this->state == Chain::State::created && this->leaf) this->leaf.promise().drop();
  }

 private:
  /// Called before the first step if the branch was asked to end. Returns false if the coroutine is not to begin: it is
  /// then destroyed, and the branch ends as cancelled.
  bool begin() noexcept override {
    if (this->combinator->may_begin(*this)) return true;
    this->state = Chain::State::running;
    std::string reason = this->combinator->not_begun(*this);
    std::exchange(this->leaf, nullptr).promise().drop();
    this->cancel(std::move(reason));
    this->tell_combinator();
    return false;
  }
  void coroutine_ended() noexcept override { this->combinator->finished(*this); }
};

// How a combinator reports an error of a branch that it does not throw, under the name of the task. That an observed
// task was cancelled is no failure, and is not reported.

/// Reports the error at the end of the step. To be called when a branch has just ended.
void report_branch_later(BranchBase& branch) noexcept;
/// Reports this error at once, under the name of the task of `chain`.
void report_branch(Chain& chain, std::exception_ptr error) noexcept;
/// Reports the error of the branch at once.
void report_branch(BranchBase& branch) noexcept;

#if ERRAND_DEFINES

ERRAND_ONCE void report_branch_later(BranchBase& branch) noexcept {
  if (branch.observed_cancelled) return;
  branch.loop->report_later(static_cast<TaskBase&>(branch.root()), branch.error());
}

ERRAND_ONCE void report_branch(Chain& chain, std::exception_ptr error) noexcept {
  chain.loop->host->report(&static_cast<TaskBase&>(chain.root()), std::move(error));
}

ERRAND_ONCE void report_branch(BranchBase& branch) noexcept {
  if (!branch.observed_cancelled) report_branch(branch, branch.error());
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
