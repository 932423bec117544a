// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <errand/descriptor.hpp>
#include <string>
#include <system_error>
#include <utility>

/// A Unix socket that listens, and its file, which the destructor removes. The mode of the file is 0600: only its owner
/// and root may connect. If a dead process has left a socket there, it is replaced. (If two processes begin with one
/// path within the same millisecond, one may take the other for dead.)
class ConsoleSocket {
 public:
  explicit ConsoleSocket(std::string path) : path_(std::move(path)) {}
  ~ConsoleSocket() {
    if (is_same_file(file_)) ::unlink(path_.c_str());
  }
  ConsoleSocket(const ConsoleSocket&) = delete;
  const errand::Descriptor& get() const noexcept { return socket_; }

  /// Makes the file, and listens. Throws `std::system_error`, which names the path, if that is in use.
  void listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.empty() || path_.find('\0') != path_.npos) fail(EINVAL);  // not the name of a file
    if (path_.size() >= sizeof address.sun_path) fail(ENAMETOOLONG);
    path_.copy(address.sun_path, path_.size());
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    if (struct stat old{}; ::lstat(path_.c_str(), &old) == 0) {
      if (!S_ISSOCK(old.st_mode)) fail(EEXIST);
      const errand::Descriptor probe = make();
      if (::connect(probe.get(), to, sizeof address) == 0 || errno == EAGAIN) fail(EADDRINUSE);
      if (errno != ECONNREFUSED) fail(errno);
      if (is_same_file(old)) ::unlink(path_.c_str());
    }
    socket_ = make();
    // Whatever mode `bind` gives to the file, nobody can connect before `listen`.
    if (::bind(socket_.get(), to, sizeof address) != 0 || ::lstat(path_.c_str(), &file_) != 0 ||
        ::chmod(path_.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(socket_.get(), SOMAXCONN) != 0) {
      fail(errno);
    }
  }

 private:
  [[noreturn]] void fail(int error) const {
    throw std::system_error(error, std::generic_category(), "cannot make the console '" + path_ + "'");
  }
  errand::Descriptor make() const {
    errand::Descriptor made(::socket(AF_UNIX, SOCK_STREAM, 0));
    if (!made || ::fcntl(made.get(), F_SETFL, O_NONBLOCK) != 0 || ::fcntl(made.get(), F_SETFD, FD_CLOEXEC) != 0) {
      fail(errno);
    }
    return made;
  }
  bool is_same_file(const struct stat& file) const noexcept {
    struct stat now{};
    return ::lstat(path_.c_str(), &now) == 0 && now.st_dev == file.st_dev && now.st_ino == file.st_ino;
  }

  const std::string path_;
  errand::Descriptor socket_;
  struct stat file_{};  // the file that `bind` has made; zeros before
};
