// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <memory>
#include <utility>

#include <errand/detail/loop/inbox.hpp>

namespace errand {

/// While one lives, `App::run` waits for more work. It can be moved, also to other threads, dropped on any of them, and
/// may outlive the App.
class [[nodiscard("dropping it lets run() end")]] KeepAlive {
 public:
  KeepAlive() noexcept = default;
  /// The other one is empty afterwards.
  KeepAlive(KeepAlive&&) noexcept = default;
  /// Lets go of what it held before.
  KeepAlive& operator=(KeepAlive&& other) noexcept {
    KeepAlive taken(std::move(other));
    std::swap(inbox_, taken.inbox_);
    return *this;
  }
  ~KeepAlive() { release(); }

  /// Lets go, once.
  void release() noexcept {
    if (const auto inbox = std::exchange(inbox_, nullptr)) inbox->let_go();
  }

 private:
  friend class App;
  explicit KeepAlive(std::shared_ptr<detail::Inbox> inbox) noexcept : inbox_(std::move(inbox)) { inbox_->keep(); }

  std::shared_ptr<detail::Inbox> inbox_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
