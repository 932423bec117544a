// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#if defined(_WIN32)
#error "errand/posix.hpp needs POSIX: on Windows, use another Reactor"
#endif

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <errand/detail/base/durations.hpp>
#include <errand/detail/base/text.hpp>

// Small parts around system calls.

namespace errand::detail {

/// Throws a `std::system_error` with this `errno`. The parts of `what` name the call, and the descriptor or the peer.
[[noreturn]] ERRAND_COLD inline void throw_system_error(int error, std::initializer_list<std::string_view> what) {
  throw std::system_error(error, std::generic_category(), text(what));
}
/// Returns the result of a system call. Throws a `std::system_error` if the call has failed.
inline int checked(int result, std::string_view call) {
  if (result < 0) throw_system_error(errno, {call});
  return result;
}
/// Makes a system call, again and again as long as signals interrupt it.
template <class Call>
auto uninterrupted(Call call) noexcept {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}
/// Returns true if the last system call has failed because it would have had to wait.
inline bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK; }

/// Owns a descriptor of the library's own.
class OwnFd {
 public:
  explicit OwnFd(int fd = -1) noexcept : fd_(fd) {}
  OwnFd(OwnFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnFd& operator=(OwnFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// Makes a descriptor non-blocking, and closes it in programs that this process starts. Returns false if that fails.
inline bool set_flags(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/// A pipe whose two ends are non-blocking. A byte in it wakes whoever polls it.
class WakePipe {
 public:
  WakePipe() {
    int ends[2];
    checked(::pipe(ends), "pipe");
    out_ = OwnFd(ends[0]);
    in_ = OwnFd(ends[1]);
    if (!set_flags(ends[0]) || !set_flags(ends[1])) throw_system_error(errno, {"fcntl"});
  }
  /// Returns the end that can be read from once `ring` was called.
  int get() const noexcept { return out_.get(); }
  /// May be called on any thread, and inside a signal handler.
  void ring() noexcept {
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(in_.get(), "", 1);  // if the pipe is full, it has been rung already
    errno = error;
  }
  void empty() noexcept {
    char bytes[16];
    while (::read(out_.get(), bytes, sizeof bytes) > 0) {
    }
  }

 private:
  OwnFd out_, in_;
};

/// Polls these descriptors once. Sleeps until one of them is ready, or for this time: the time is rounded up, because
/// the App would only wait again after a sleep that is too short. Without a limit, it sleeps until one is ready.
/// Returns early if a signal comes, and after a day. Returns a negative number if the call has failed.
inline int poll_for(pollfd* polled, std::size_t count, std::optional<Nanoseconds> limit) noexcept {
  constexpr Nanoseconds longest = std::chrono::hours(24);
  if (limit) limit = std::clamp(*limit, Nanoseconds::zero(), longest);
#if defined(__linux__)
  timespec time{};
  if (limit) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*limit);
    time.tv_sec = static_cast<decltype(time.tv_sec)>(seconds.count());
    time.tv_nsec = static_cast<decltype(time.tv_nsec)>((*limit - seconds).count());
  }
  return ::ppoll(polled, static_cast<nfds_t>(count), limit ? &time : nullptr, nullptr);
#else
  const auto milliseconds = limit ? std::chrono::ceil<std::chrono::milliseconds>(*limit).count() : -1;
  return ::poll(polled, static_cast<nfds_t>(count), static_cast<int>(milliseconds));
#endif
}
/// Returns true if a descriptor is ready for one of these events of poll(2) now.
inline bool is_ready(int fd, short events) noexcept {
  pollfd polled{fd, events, 0};
  return uninterrupted([&] { return ::poll(&polled, 1, 0); }) != 0;
}

/// While it lives, a write to a pipe that nobody reads raises no SIGPIPE: the write fails with EPIPE, and no more.
class WithoutSigpipe {
 public:
  WithoutSigpipe() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    was_pending_ = is_pending();  // then it is blocked, and not ours
    if (!was_pending_) pthread_sigmask(SIG_BLOCK, &pipe_, &old_);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  ~WithoutSigpipe() {
    if (was_pending_) return;
    const int error = errno;
    int taken = 0;
    if (is_pending()) sigwait(&pipe_, &taken);
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
    errno = error;
  }

 private:
  static bool is_pending() noexcept {
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
  }

  sigset_t pipe_, old_;
  bool was_pending_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
