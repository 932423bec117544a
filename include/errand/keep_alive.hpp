// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <memory>
#include <utility>

#include <errand/detail/loop/inbox.hpp>

namespace errand {

/// Keeps `App::run` waiting for more work while it lives; `App::keep_alive` makes it. It can be moved, also to another
/// thread, dropped on any thread, and may outlive the App.
class [[nodiscard("dropping it lets run() end")]] KeepAlive {
 public:
  KeepAlive() noexcept = default;
  /// Takes over the guard of another object, which is empty afterwards.
  KeepAlive(KeepAlive&&) noexcept = default;
  /// Releases its own guard, and takes over that of `other`, which is empty afterwards.
  KeepAlive& operator=(KeepAlive&& other) noexcept {
    KeepAlive taken(std::move(other));
    std::swap(inbox_, taken.inbox_);
    return *this;
  }
  ~KeepAlive() { release(); }

  /// Lets `run` end before this object goes. Does nothing if the object is empty.
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
