// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <errand/descriptor.hpp>
#include <errand/detail/posix/system.hpp>

// Addresses of sockets, their texts, and how sockets are made.

namespace errand::detail {

/// The errors of getaddrinfo(3).
class ResolverErrors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "getaddrinfo"; }
  std::string message(int error) const override { return ::gai_strerror(error); }
};
inline const std::error_category& resolver_errors() noexcept {
  static const ResolverErrors errors;
  return errors;
}

/// An address to which a socket can be bound or connected.
struct Address {
  sockaddr_storage storage;
  socklen_t size;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Returns a host and a port as one text, as people write it.
inline std::string text_of(std::string_view host, std::string_view port) {
  if (host.find(':') == std::string_view::npos) return text({host, ":", port});
  return text({"[", host, "]:", port});
}
/// Returns the text of an address, or `otherwise` if it has none.
inline std::string text_of(const sockaddr* address, socklen_t size, std::string_view otherwise) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  const bool has_port = size > 0 && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
  if (!has_port ||
      ::getnameinfo(address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return std::string(otherwise);
  }
  return text_of(host, port);
}
/// Returns the text for the other end of a descriptor: its address, or its number if it has none.
inline std::string peer_of(int fd, const PeerAddress& known) {
  Address address{};
  address.size = sizeof address.storage;
  if (known.size > 0) {
    std::memcpy(&address.storage, known.bytes, known.size);
    address.size = known.size;
  } else if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    address.size = 0;
  }
  return text_of(address.get(), address.size, "descriptor " + std::to_string(fd));
}
/// Returns the address of this end of a socket. Its size is 0 if there is none.
inline Address local_address(int fd) noexcept {
  Address address{};
  address.size = sizeof address.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) address.size = 0;
  return address;
}

/// The addresses of a host, or the reason why there are none.
struct Resolved {
  std::vector<Address> addresses;
  std::error_code error;
};
/// Looks a host up. Blocks, unless `flags` has AI_NUMERICHOST. Throws `std::bad_alloc` only.
inline Resolved resolve(const std::string& host, std::uint16_t port, int flags) {
  Resolved resolved;
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  const char* const name = host.empty() ? nullptr : host.c_str();
  const bool is_text = host.find('\0') == std::string::npos;
  const int error = is_text ? ::getaddrinfo(name, std::to_string(port).c_str(), &hints, &found) : EAI_NONAME;
  if (error == EAI_SYSTEM) {
    resolved.error.assign(errno, std::generic_category());
  } else if (error != 0) {
    resolved.error.assign(error, resolver_errors());
  }
  struct Freed {
    addrinfo* list;
    ~Freed() {
      if (list) ::freeaddrinfo(list);
    }
  } const freed{found};
  for (const addrinfo* one = found; one; one = one->ai_next) {
    if (one->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Address& address = resolved.addresses.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  return resolved;
}

/// Returns true if the host is an address in numbers, so that nobody has to be asked for it.
inline bool is_numeric(const Resolved& resolved) noexcept {
  return resolved.error != std::error_code(EAI_NONAME, resolver_errors());
}

/// Makes a non-blocking socket for this address. Empty if that fails.
inline Descriptor make_socket(const Address& address) noexcept {
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  return ::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
  Descriptor socket(::socket(address.get()->sa_family, SOCK_STREAM, 0));
  if (socket && !set_flags(socket.get())) socket = Descriptor();
  return socket;
#endif
}
/// Accepts one connection, and makes its socket non-blocking. Empty if that fails.
inline Descriptor accept_socket(int listener) noexcept {
  if (!is_ready(listener, POLLIN)) return errno = EAGAIN, -1;  // the listener may be blocking
  Address peer{};
  peer.size = sizeof peer.storage;
  auto* const address = reinterpret_cast<sockaddr*>(&peer.storage);
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  Descriptor socket(::accept4(listener, address, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
#else
  Descriptor socket(::accept(listener, address, &peer.size));
  if (socket && !set_flags(socket.get())) socket = Descriptor();
#endif
  if (socket) socket.set_peer(address, peer.size);
  return socket;
}
/// Sends small pieces at once. A socket that is none of TCP's stays as it is.
inline void send_at_once(const Descriptor& socket) noexcept {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
/// Returns the error that a connect has ended with, or 0.
inline int connect_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
