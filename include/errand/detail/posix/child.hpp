// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <sys/types.h>
#include <sys/wait.h>

#include <cerrno>
#include <coroutine>
#include <utility>

#include <errand/detail/posix/io_waits.hpp>

namespace errand::detail {

/// The wait for the end of a child process. It takes the status from the system only when its task resumes, so that no
/// status is lost if the wait is given up.
class ChildWait final : public DescriptorWait {
 public:
  ChildWait(IoWaits& waits, pid_t child, Chain& chain) noexcept
      : DescriptorWait(Kind::child, waits, input, chain), child_(child) {}

  bool await_ready() {
    chain_->check_earlier_awaits();
    const bool is_over = has_ended();
    if (error_ != 0) fail();
    return is_over;
  }
  void await_suspend(std::coroutine_handle<>) {
    ended_ = OwnFd(waits_.open_child(child_));
    if (ended_.get() >= 0) {
      suspend_for(ended_.get());
    } else if (!has_ended()) {  // it may have ended before SIGCHLD was handled
      suspend(waits_.waiters_for_children());
    }
  }
  int await_resume() {
    resumed();
    int status = 0;
    const pid_t found = uninterrupted([&] { return ::waitpid(child_, &status, WNOHANG); });
    error_ = found < 0 ? errno : ECHILD;
    if (found != child_) fail();
    return status;
  }

  /// Returns true if the child has ended, or if there is no such child.
  bool has_ended() noexcept {
    siginfo_t info{};
    const int result = child_ > 0 ? uninterrupted([&] {
      return ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT);
    })
                                  : (errno = ECHILD, -1);
    error_ = result < 0 ? errno : 0;
    return result < 0 || info.si_pid != 0;
  }

 private:
  [[noreturn]] void fail() const { throw_system_error(error_, {"wait for process ", std::to_string(child_)}); }

  const pid_t child_;
  int error_ = 0;
  OwnFd ended_;  // can be read from when the child has ended, if the system has that
};

/// The awaitable that `exited` returns.
class [[nodiscard("co_await it")]] ChildEnd {
 public:
  explicit ChildEnd(pid_t child) noexcept : child_(child) {}
  ChildWait awaited_by(Chain& chain) const { return {IoWaits::of(chain), child_, chain}; }

 private:
  pid_t child_;
};

inline SignalSource& IoWaits::signal_source(int number) {
  for (const Owner<SignalSource>& source : signals_) {
    if (source->number == number) return *source;
  }
  Owner made(new SignalSource(number, *this));
  signals_.push_back(std::move(made));
  return *signals_.back();
}

inline void IoWaits::ready(int fd, Directions directions) noexcept {
  Watch& watch = watch_of(fd);
  const auto wake_all = [](WaitList& list) {
    while (!list.empty()) list.first<DescriptorWait>().wake();
  };
  if (directions & input) wake_all(watch.readers);
  if (directions & output) wake_all(watch.writers);
  const Directions others = watch.wanted();
  if (others == 0) return;
  try {
    watch_descriptor(fd, watch.mark, others);
  } catch (...) {  // they try again, and get the error
    wake_all(watch.readers);
    wake_all(watch.writers);
  }
}

inline void IoWaits::deliver_signals() {
  for (const Owner<SignalSource>& source : signals_) {
    if (!source->deliver() || source->number != SIGCHLD) continue;
    List asked;
    asked.splice_back(children_.list());
    while (!asked.empty()) {
      ChildWait& wait = WaitList::of<ChildWait>(asked.pop_front());
      children_.list().push_back(wait);
      if (wait.has_ended()) wait.wake();
    }
  }
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
