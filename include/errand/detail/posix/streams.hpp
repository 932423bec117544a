// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <limits.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <errand/detail/posix/address.hpp>
#include <errand/detail/posix/child.hpp>
#include <errand/thread.hpp>
#include <errand/time.hpp>

namespace errand {

// The definitions of what posix.hpp declares.

namespace detail {

#if defined(MSG_NOSIGNAL)
inline constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
inline constexpr int send_flags = MSG_DONTWAIT;
#endif

/// The calls below read or write what can be read or written now. They return a negative number if the call has failed;
/// `would_block` tells if it only has to be waited for.

inline ssize_t read_now(int fd, std::span<char> into) noexcept {
  const ssize_t count = uninterrupted([&] { return ::recv(fd, into.data(), into.size(), MSG_DONTWAIT); });
  if (count >= 0 || errno != ENOTSOCK) return count;
  // The descriptor may be blocking, and another task may have read what this one was woken for.
  if (!is_ready(fd, POLLIN)) return errno = EAGAIN, -1;
  return uninterrupted([&] { return ::read(fd, into.data(), into.size()); });
}

inline ssize_t write_now(int fd, std::string_view text) noexcept {
  const WithoutSigpipe without;
  return uninterrupted([&] { return ::write(fd, text.data(), text.size()); });
}
inline ssize_t send_now(int fd, std::string_view text) noexcept {
#if defined(MSG_NOSIGNAL)
  const ssize_t count = uninterrupted([&] { return ::send(fd, text.data(), text.size(), send_flags); });
#else
  const ssize_t count = [&] {
    const WithoutSigpipe without;
    return uninterrupted([&] { return ::send(fd, text.data(), text.size(), send_flags); });
  }();
#endif
  if (count >= 0 || errno != ENOTSOCK) return count;
  if (::fcntl(fd, F_GETFL) & O_NONBLOCK) return write_now(fd, text);
  // A pipe that is blocking, and can be written to, has room for so many bytes at least.
  if (!is_ready(fd, POLLOUT)) return errno = EAGAIN, -1;
  return write_now(fd, text.substr(0, PIPE_BUF));
}

/// Returns true if an accept should be tried again, because it has failed for a reason of that one client.
inline bool is_clients_error(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
#if defined(__linux__)  // which reports errors of the network here
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
#endif
      return true;
    default: return false;
  }
}
/// Returns true if a call has failed because the process or the system has too little of something for the moment.
inline bool is_lack(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// An await that only checks that the App has a PosixReactor, before a coroutine begins something that needs it.
class NeedsReactor : public OwnAwaitable {
 public:
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiting) const {
    IoWaits::of(*awaiting.promise().chain);
    return false;
  }
  void await_resume() const noexcept {}
};

/// An await that throws the request that is pending, if there is one, and does nothing else. It stands between a wait
/// that takes nothing and a call that takes something: a branch that has lost its race, and whose wait had ended, must
/// not make the call.
class RequestCheck : public OwnAwaitable {
 public:
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiting) const {
    awaiting.promise().chain->throw_if_asked();
    return false;
  }
  void await_resume() const noexcept {}
};

}  // namespace detail

inline detail::Readiness readable(detail::Fd fd) { return {fd, detail::input}; }
inline detail::Readiness writable(detail::Fd fd) { return {fd, detail::output}; }

inline detail::SignalArrival signal(int number) {
  const detail::Loop* const loop = detail::this_thread().loop;
  if (detail::IoWaits* const waits = loop ? detail::IoWaits::find(*loop) : nullptr) {
    waits->signal_source(number).is_awaited = true;
  }
  return detail::SignalArrival(number);
}

inline detail::ChildEnd exited(pid_t pid) { return detail::ChildEnd(pid); }

inline Coro<std::size_t> read_some(detail::Fd fd, std::span<char> into) {
  while (true) {
    co_await readable(fd);
    co_await detail::RequestCheck();
    const ssize_t count = detail::read_now(fd.get(), into);
    if (count >= 0) co_return static_cast<std::size_t>(count);
    const int error = errno;
    if (detail::would_block()) continue;
    detail::throw_system_error(error, {"read from ", detail::peer_of(fd.get(), fd.peer())});
  }
}

inline Coro<> write_all(detail::Fd fd, std::string_view text) {
  co_await detail::NeedsReactor();
  while (!text.empty()) {
    const ssize_t count = detail::send_now(fd.get(), text);
    const int error = errno;
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (detail::would_block()) {
      co_await writable(fd);
    } else {
      detail::throw_system_error(error, {"write to ", detail::peer_of(fd.get(), fd.peer())});
    }
  }
}

inline Coro<Descriptor> accept(detail::Fd fd) {
  constexpr std::chrono::milliseconds pause(100);
  while (true) {
    co_await readable(fd);
    co_await detail::RequestCheck();
    Descriptor socket = detail::accept_socket(fd.get());
    const int error = errno;
    if (socket) {
      detail::send_at_once(socket);
      co_return socket;
    }
    if (detail::is_lack(error)) co_await sleep(pause);
    if (detail::is_lack(error) || detail::would_block() || detail::is_clients_error(error)) continue;
    const detail::Address here = detail::local_address(fd.get());
    const std::string number = "descriptor " + std::to_string(fd.get());
    detail::throw_system_error(error, {"accept on ", detail::text_of(here.get(), here.size, number)});
  }
}

inline Coro<Descriptor> connect(std::string host, std::uint16_t port) {
  co_await detail::NeedsReactor();
  const std::string what = "connect to " + detail::text_of(host, std::to_string(port));
  detail::Resolved found = detail::resolve(host, port, AI_NUMERICHOST);
  if (!detail::is_numeric(found)) found = co_await to_thread(abandon, &detail::resolve, host, port, 0);
  std::error_code error = found.error;
  for (const detail::Address& address : found.addresses) {
    Descriptor socket = detail::make_socket(address);
    int result = socket ? ::connect(socket.get(), address.get(), address.size) : -1;
    int code = result == 0 ? 0 : errno;
    if (socket && (code == EINPROGRESS || code == EINTR)) {
      co_await writable(socket);
      code = detail::connect_error(socket.get());
    }
    if (code == 0) {
      socket.set_peer(address.get(), address.size);
      detail::send_at_once(socket);
      co_return socket;
    }
    error.assign(code, std::generic_category());
  }
  throw std::system_error(error, what);
}

inline Descriptor listen(const std::string& host, std::uint16_t port) {
  const detail::Resolved found = detail::resolve(host, port, AI_PASSIVE);
  std::error_code error = found.error;
  for (const detail::Address& address : found.addresses) {
    Descriptor socket = detail::make_socket(address);
    const int on = 1;
    const bool listens = socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                         ::bind(socket.get(), address.get(), address.size) == 0 &&
                         ::listen(socket.get(), SOMAXCONN) == 0;
    if (listens) return socket;
    error.assign(errno, std::generic_category());
  }
  throw std::system_error(error, "listen on " + detail::text_of(host, std::to_string(port)));
}

inline std::uint16_t local_port(detail::Fd fd) {
  const detail::Address here = detail::local_address(fd.get());
  const int error = here.size == 0 ? errno : EAFNOSUPPORT;
  if (here.size > 0 && here.get()->sa_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&here.storage)->sin_port);
  }
  if (here.size > 0 && here.get()->sa_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&here.storage)->sin6_port);
  }
  detail::throw_system_error(error, {"local_port of descriptor ", std::to_string(fd.get())});
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
