// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <sys/wait.h>

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <errand/descriptor.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/coro/awaitable.hpp>
#include <errand/detail/posix/poller.hpp>
#include <errand/detail/posix/signal_source.hpp>
#include <errand/reactor.hpp>

namespace errand::detail {

/// The waits of the tasks of an App for descriptors, signals and child processes: the part of a `PosixReactor` that
/// does not depend on its poller. It is called on the App's thread.
class IoWaits : public Reactor {
 public:
  /// Returns the reactor of the App of this chain. Throws `InvalidState` if that is none of this library's.
  static IoWaits& of(const Chain& chain) {
    if (IoWaits* const waits = find(*chain.loop)) return *waits;
    throw InvalidState(
        "this await needs an App with a PosixReactor: errand::PosixReactor reactor; "
        "errand::App app(\"name\", {.reactor = &reactor});");
  }
  /// Returns the reactor of an App, or null if that is none of this library's.
  static IoWaits* find(const Loop& loop) noexcept { return dynamic_cast<IoWaits*>(loop.inbox->reactor()); }

  /// Makes sure that the waiters for this direction of the descriptor are woken once it is ready, together with those
  /// that wait already. Returns false if it is always ready. Throws `std::system_error` and `std::bad_alloc`.
  bool arm(int fd, Directions direction) {
    const bool is_known = fd >= 0 && static_cast<std::size_t>(fd) < watches_.size();
    if (!is_known && ::fcntl(fd, F_GETFD) < 0) {  // before room is made for a number that may be any
      throw_system_error(errno, {"wait for descriptor ", std::to_string(fd)});
    }
    while (watches_.size() <= static_cast<std::size_t>(fd)) watches_.emplace_back();
    Watch& watch = watch_of(fd);
    const Directions others = watch.wanted();
    if (others == 0) ++watch.mark;
    return watch_descriptor(fd, watch.mark, static_cast<Directions>(others | direction));
  }
  /// Returns the list of the waiters for a direction of a descriptor that was armed.
  List& waiters(int fd, Directions direction) noexcept {
    Watch& watch = watch_of(fd);
    return (direction == input ? watch.readers : watch.writers).list();
  }
  /// Returns the source of a signal, which is made at the first call. Throws what its constructor throws.
  SignalSource& signal_source(int number);
  /// Returns the list of the waiters for a child process that have no descriptor for it. They are asked again, by
  /// `look_again`, whenever SIGCHLD has come.
  List& waiters_for_children() { return children_.list(); }
  /// Returns a descriptor that can be read from when the child has ended; a negative number if the system has none.
  /// Then SIGCHLD wakes the waiters for children.
  int open_child(pid_t child) {
    const int fd = open_child_descriptor(child);
    if (fd < 0) signal_source(SIGCHLD);
    return fd;
  }

  // Called by the poller

  /// Returns the directions of a descriptor that tasks wait for.
  Directions wanted(int fd) noexcept { return watch_of(fd).wanted(); }
  /// Returns true if the waits of the last `arm` with this mark may still be there.
  bool is_current(int fd, std::uint32_t mark) noexcept { return watch_of(fd).mark == mark; }
  /// Wakes the waiters for directions in which the descriptor is ready.
  void ready(int fd, Directions directions) noexcept;

  std::size_t waiting = 0;  // how many tasks wait for a descriptor or a child

 protected:
  /// Tells the signals that have come to those who wait for them.
  void deliver_signals();
  /// Called by the destructor of the derived class, because a handler calls its `wake`.
  void stop_signals() noexcept { signals_.clear(); }

 private:
  /// The waits for one descriptor. It stays when they have ended.
  struct Watch {
    WaitList readers, writers;
    std::uint32_t mark = 0;  // changes whenever somebody waits and nobody did before

    Directions wanted() const noexcept {
      return static_cast<Directions>((readers.empty() ? 0 : input) | (writers.empty() ? 0 : output));
    }
  };
  Watch& watch_of(int fd) noexcept { return watches_[static_cast<std::size_t>(fd)]; }
  virtual bool watch_descriptor(int fd, std::uint32_t mark, Directions wanted) = 0;
  virtual int open_child_descriptor(pid_t child) noexcept = 0;

  std::deque<Watch> watches_;  // by the number of the descriptor
  std::vector<Owner<SignalSource>> signals_;
  WaitList children_;
};

/// A wait until a descriptor is ready in one direction.
class DescriptorWait : public CountedWaiter {
 protected:
  DescriptorWait(Kind of, IoWaits& waits, Directions direction, Chain& chain) noexcept
      : CountedWaiter(of, chain, waits.waiting), waits_(waits), direction_(direction) {}
  ~DescriptorWait() = default;

  /// Suspends the chain until the descriptor is ready, or yields if it is always ready. Returns true if this waits.
  bool suspend_for(int fd) {
    if (waits_.arm(fd, direction_)) return suspend(waits_.waiters(fd, direction_));
    yield();
    return false;
  }

  IoWaits& waits_;

 private:
  const Directions direction_;
};

/// The wait of `readable` and `writable`.
class ReadyWait final : public DescriptorWait {
 public:
  ReadyWait(IoWaits& waits, const Fd& fd, Directions direction, Chain& chain) noexcept
      : DescriptorWait(Kind::descriptor, waits, direction, chain), fd_(fd) {}

  bool await_ready() {
    chain_->check_earlier_awaits();
    fd_.get();  // throws if the Descriptor has closed it
    return false;
  }
  void await_suspend(std::coroutine_handle<>) {
    if (suspend_for(fd_.get())) fd_.attach(*this);
  }
  void await_resume() {
    fd_.detach();
    resumed();
  }

 private:
  Fd fd_;
};

/// The awaitable that `readable` and `writable` return.
class [[nodiscard("co_await it")]] Readiness {
 public:
  Readiness(const Fd& fd, Directions direction) noexcept : fd_(fd), direction_(direction) {}
  ReadyWait awaited_by(Chain& chain) const { return {IoWaits::of(chain), fd_, direction_, chain}; }

 private:
  Fd fd_;
  Directions direction_;
};

/// The awaitable that `signal` returns.
class [[nodiscard("co_await it")]] SignalArrival {
 public:
  explicit SignalArrival(int number) noexcept : number_(number) {}
  ArrivalWait awaited_by(Chain& chain) const {
    SignalSource& source = IoWaits::of(chain).signal_source(number_);
    source.is_awaited = true;
    return {source, chain};
  }

 private:
  int number_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
