// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include <errand/detail/base/list.hpp>
#include <errand/detail/coro/suspension.hpp>

namespace errand {

namespace detail {

/// The address of the other end of a connection, for messages.
struct PeerAddress {
  unsigned char bytes[sizeof(sockaddr_in6)] = {};
  socklen_t size = 0;  // 0 if it is not known

  void set(const sockaddr* address, socklen_t its_size) noexcept {
    if (its_size > sizeof bytes) return;  // of a family whose addresses are long, and say nothing in a message
    std::memcpy(bytes, address, its_size);
    size = its_size;
  }
};

class Fd;

}  // namespace detail

/// Owns a file descriptor: a socket, one end of a pipe, whatever the system counts with small numbers. The destructor
/// closes it. It can be moved, also while tasks wait for it.
///
/// If the descriptor is closed while tasks wait for it, because this object is destroyed or assigned to, their awaits
/// throw `InvalidState`. That is true for waits that were given the Descriptor. A wait that was given the number, as an
/// `int`, knows nothing of its end: end the task first.
///
/// It belongs to one thread at a time. If a task waits and another thread is inside the App of that task, `release`
/// throws `WrongThread`, and a destructor ends the program.
class Descriptor {
 public:
  /// Takes over a descriptor, which the destructor will close. This object is empty if the number is negative.
  Descriptor(int fd = -1) noexcept : fd_(std::max(fd, -1)) {}  // NOLINT(google-explicit-constructor)
  /// Takes over the descriptor of `other`, which is empty afterwards. Tasks that wait for it wait on.
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_), peer_(other.peer_) {
    other.fd_ = -1;
    uses_.splice_back(other.uses_);
  }
  /// Closes the descriptor that it has, and takes over that of `other`, which is empty afterwards.
  Descriptor& operator=(Descriptor&& other) noexcept;
  /// Closes the descriptor. The awaits of the tasks that wait for it throw `InvalidState`.
  ~Descriptor() { close(); }

  /// Returns the number of the descriptor, which it keeps; -1 if it is empty.
  int get() const noexcept { return fd_; }
  /// Returns the number of the descriptor, and gives it up without closing it: you close it. Tasks that wait for it
  /// wait on, and are not told when you close it: end them first.
  int release();
  /// Returns true if it has a descriptor.
  explicit operator bool() const noexcept { return fd_ >= 0; }

  /// For the library's own use: notes the address of the other end, for messages.
  void set_peer(const sockaddr* address, socklen_t size) noexcept { peer_.set(address, size); }

 private:
  friend detail::Fd;
  void close() noexcept;

  int fd_;
  detail::PeerAddress peer_;
  mutable detail::List uses_;  // each `Fd` that was made of this object and exists
};

// Implementation

namespace detail {

/// An argument that names a descriptor, and the same inside a coroutine or a wait: a number, or a `Descriptor`. It is
/// told when that Descriptor closes the descriptor, because the system may use the number for another file then.
class Fd : public Link {
 public:
  Fd(int fd) noexcept : fd_(fd) {}   // NOLINT(google-explicit-constructor)
  Fd(const Descriptor& of) noexcept  // NOLINT(google-explicit-constructor)
      : fd_(of.fd_ < 0 ? closed : of.fd_), peer_(of.peer_) {
    if (of) of.uses_.push_back(*this);
  }
  Fd(const Fd& other) noexcept : Link(), fd_(other.fd_), peer_(other.peer_) {
    if (other.linked()) List::insert(const_cast<Fd&>(other), *this);
  }
  ~Fd() {
    if (linked()) unlink();
  }

  /// Returns the number. Throws `InvalidState` if the Descriptor is empty, or has closed its descriptor.
  int get() const {
    if (fd_ == closed) throw InvalidState("this Descriptor is empty, or was closed before it was waited for");
    return fd_;
  }
  const PeerAddress& peer() const noexcept { return peer_; }

  /// Called when `waiter` begins to wait: it fails if the descriptor is closed before `detach`.
  void attach(CountedWaiter& waiter) noexcept { waiter_ = &waiter; }
  void detach() noexcept { waiter_ = nullptr; }

 private:
  friend Descriptor;
  static constexpr int closed = -2;

  void close() noexcept {
    fd_ = closed;
    if (!waiter_) return;
    const bool waits = waiter_->linked();
    if (!waits && waiter_->is_interrupted()) return;
    waiter_->end_with(Ending::broken);  // also if the wait has ended, and its task has not resumed yet
    if (waits) waiter_->wake();
  }

  int fd_;
  PeerAddress peer_;
  CountedWaiter* waiter_ = nullptr;
};

}  // namespace detail

inline Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  Descriptor taken(std::move(other));
  std::swap(fd_, taken.fd_);
  std::swap(peer_, taken.peer_);
  detail::List mine;
  mine.splice_back(uses_);
  uses_.splice_back(taken.uses_);
  taken.uses_.splice_back(mine);
  return *this;
}

inline int Descriptor::release() {
  for (const detail::Link* use = uses_.begin(); use != uses_.end(); use = use->next) {
    const detail::CountedWaiter* const waiter = static_cast<const detail::Fd*>(use)->waiter_;
    if (waiter) waiter->chain()->loop->check_thread();
  }
  while (!uses_.empty()) uses_.pop_front();
  return std::exchange(fd_, -1);
}

inline void Descriptor::close() noexcept {
  while (!uses_.empty()) {
    auto& use = static_cast<detail::Fd&>(uses_.front());
    if (use.waiter_) {
      use.waiter_->chain()->loop->check_thread_in_destructor(
          "a Descriptor is closed on another thread than that of the tasks that wait for it");
    }
    use.unlink();
    use.close();
  }
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
