// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <errand/detail/posix/system.hpp>

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/syscall.h>
#endif

// How a reactor asks the system which descriptors are ready. There are two pollers with the same members. A reactor
// tells a poller which directions of a descriptor somebody waits for (`arm`), and asks it for those that are ready
// (`look`). Each `arm` is for one answer: after that, the poller says nothing of the descriptor until it is armed
// again. So a wait that was cancelled costs no system call, and one spurious answer at most.

namespace errand::detail {

/// The directions in which a descriptor can be ready, as bits.
using Directions = std::uint8_t;
inline constexpr Directions input = 1, output = 2;

/// Polls with poll(2), which every POSIX system has.
class Poll {
 public:
  /// `wake` can be read from when `look` has to return.
  explicit Poll(int wake) { polled_.push_back({wake, POLLIN, 0}); }

  /// From now on `look` tells once if the descriptor is ready in one of these directions. Returns false if it is always
  /// ready, so that nobody has to wait. Throws `std::system_error` if there is no such descriptor.
  bool arm(int fd, std::uint32_t, Directions wanted) {
    if (::fcntl(fd, F_GETFD) < 0) throw_system_error(errno, {"poll of descriptor ", number(static_cast<unsigned>(fd))});
    const auto index = static_cast<std::size_t>(fd);
    if (places_.size() <= index) places_.resize(index + 1, nowhere);
    if (places_[index] == nowhere) {
      polled_.push_back({fd, 0, 0});
      places_[index] = polled_.size() - 1;
    }
    polled_[places_[index]].events = events_of(wanted);
    return true;
  }

  /// Sleeps until something is ready, but no longer than `limit`, and calls `waits.ready(fd, directions)` for each
  /// descriptor that is ready. Returns true if `wake` is. Throws `std::system_error`.
  template <class Waits>
  bool look(std::optional<Nanoseconds> limit, Waits& waits) {
    for (std::size_t i = polled_.size() - 1; i > 0; --i) {
      polled_[i].events = events_of(waits.wanted(polled_[i].fd));
      if (polled_[i].events == 0) forget(i);
    }
    if (poll_for(polled_.data(), polled_.size(), limit) < 0) {
      if (errno == EINTR) return false;
      throw_system_error(errno, {"poll"});
    }
    const bool woken = polled_[0].revents != 0;
    for (std::size_t i = 1; i < polled_.size(); ++i) {
      const pollfd found = std::exchange(polled_[i], pollfd{polled_[i].fd, 0, 0});
      if (found.revents == 0) continue;
      const bool failed = found.revents & (POLLERR | POLLHUP | POLLNVAL);
      waits.ready(found.fd, static_cast<Directions>((found.revents & POLLIN || failed ? input : 0) |
                                                    (found.revents & POLLOUT || failed ? output : 0)));
    }
    return woken;
  }

  /// Returns a descriptor that can be read from when this child process has ended; a negative number if there is none.
  static int open_child(pid_t) noexcept { return -1; }

 private:
  static constexpr std::size_t nowhere = 0;

  static short events_of(Directions wanted) noexcept {
    return static_cast<short>((wanted & input ? POLLIN : 0) | (wanted & output ? POLLOUT : 0));
  }
  void forget(std::size_t place) noexcept {
    places_[static_cast<std::size_t>(polled_[place].fd)] = nowhere;
    if (place + 1 < polled_.size()) {
      polled_[place] = polled_.back();
      places_[static_cast<std::size_t>(polled_[place].fd)] = place;
    }
    polled_.pop_back();
  }

  std::vector<pollfd> polled_;       // the first one is `wake`
  std::vector<std::size_t> places_;  // of each descriptor in `polled_`
};

#if defined(__linux__)

/// Polls with epoll(7), for which descriptors that are not ready cost nothing.
class Epoll {
 public:
  explicit Epoll(int wake) : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wake_data;
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake, &event), "epoll_ctl");
  }

  /// The mark comes back with the answer. A descriptor that was closed may leave an answer behind, if another process
  /// has the same file open: the mark tells that from an answer for a new descriptor with the same number.
  bool arm(int fd, std::uint32_t mark, Directions wanted) {
    epoll_event event{};
    event.events = EPOLLONESHOT | (wanted & input ? EPOLLIN : 0U) | (wanted & output ? EPOLLOUT : 0U);
    event.data.u64 = std::uint64_t{mark} << 32 | static_cast<unsigned>(fd);
    // A descriptor that was armed before is still known, unless it was closed meanwhile.
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return true;
    if (errno == ENOENT && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return true;
    if (errno == EPERM) return false;  // a regular file or a directory
    throw_system_error(errno, {"epoll of descriptor ", number(static_cast<unsigned>(fd))});
  }

  template <class Waits>
  bool look(std::optional<Nanoseconds> limit, Waits& waits) {
    if (limit && *limit > Nanoseconds::zero()) {  // because epoll_wait counts in milliseconds
      pollfd self{epoll_.get(), POLLIN, 0};
      poll_for(&self, 1, limit);
    }
    epoll_event events[128];
    const int count = ::epoll_wait(epoll_.get(), events, static_cast<int>(std::size(events)), limit ? 0 : -1);
    if (count < 0 && errno != EINTR) throw_system_error(errno, {"epoll_wait"});
    bool woken = false;
    for (int i = 0; i < count; ++i) {
      const std::uint32_t found = events[i].events;
      const std::uint64_t data = events[i].data.u64;
      if (data == wake_data) {
        woken = true;
        continue;
      }
      const int fd = static_cast<int>(data & 0xffffffff);
      if (!waits.is_current(fd, static_cast<std::uint32_t>(data >> 32))) continue;
      const bool failed = found & (EPOLLERR | EPOLLHUP);
      waits.ready(fd, static_cast<Directions>((found & EPOLLIN || failed ? input : 0) |
                                              (found & EPOLLOUT || failed ? output : 0)));
    }
    return woken;
  }

  static int open_child([[maybe_unused]] pid_t child) noexcept {
#if defined(SYS_pidfd_open)
    return static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
#else
    return -1;
#endif
  }

 private:
  static constexpr std::uint64_t wake_data = ~std::uint64_t{0};

  OwnFd epoll_;
};

using BestPoller = Epoll;

#else

using BestPoller = Poll;

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
