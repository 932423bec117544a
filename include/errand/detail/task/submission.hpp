// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <future>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <errand/task.hpp>

namespace errand::detail {

/// Sets the `std::future` of submitted work. Everyone who may end the work has a copy. If all copies go and none has
/// set the future, the future throws `TaskCancelled`.
template <class T>
class Submission {
 public:
  explicit Submission(const std::string& name)
      : shared_(std::make_shared<Shared>(name.empty() ? "submitted work" : name)) {}

  std::future<T> future() { return shared_->promise.get_future(); }
  /// Called when the task of the work is done: passes on its result, or the exception that its awaiters get.
  void set(Task<T> done) {
    shared_->is_set = true;
    try {
      if constexpr (std::is_void_v<T>) {
        done.result();
        shared_->promise.set_value();
      } else {
        shared_->promise.set_value(std::move(done).result());
      }
    } catch (...) {
      shared_->promise.set_exception(std::current_exception());
    }
  }
  /// Called if the work could not become a task.
  void fail(std::exception_ptr error) {
    shared_->is_set = true;
    shared_->promise.set_exception(std::move(error));
  }

 private:
  struct Shared {
    explicit Shared(std::string its_name) : name(std::move(its_name)) {}
    ~Shared() {
      if (is_set) return;
      try {
        promise.set_exception(std::make_exception_ptr(TaskCancelled(name)));
      } catch (...) {  // no memory for the TaskCancelled
        promise.set_exception(std::current_exception());
      }
    }
    std::promise<T> promise;
    std::string name;
    bool is_set = false;
  };

  std::shared_ptr<Shared> shared_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
