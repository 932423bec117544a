// SPDX-License-Identifier: MIT
// A TCP server that waits with poll(2), inside a Reactor of the App. Each connection is a task with a name. The program
// prints the port that it listens on: talk to it with `nc 127.0.0.1 PORT`, and end it with ^C.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <errand/errand.hpp>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Returns the result of a system call. Throws std::system_error if the call has failed.
template <class T>
T checked(T result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/// Owns a descriptor, and makes it non-blocking. Empty if the descriptor is negative.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

// The loop

/// Sleeps in poll(2) until a descriptor that a task waits for is ready, or until another thread wakes it through a
/// pipe.
class PollReactor : public errand::Reactor {
 public:
  PollReactor() : PollReactor(make_pipe()) {}

  /// Each of these coroutines ends when the descriptor can be read from, or written to, without blocking.
  errand::Coro<> readable(const Descriptor& of) { return ready(of.get(), POLLIN); }
  errand::Coro<> writable(const Descriptor& of) { return ready(of.get(), POLLOUT); }

  void wait(std::optional<errand::Clock::time_point> until) override {
    polled_.assign(1, {pipe_out_.get(), POLLIN, 0});
    for (const Waiting* waiting : waiting_) polled_.push_back({waiting->fd, waiting->events, 0});
    if (::poll(polled_.data(), static_cast<nfds_t>(polled_.size()), milliseconds(until)) < 0) {
      if (errno == EINTR) return;
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    if (polled_[0].revents != 0) empty_pipe();
    auto entry = polled_.begin();
    for (Waiting* waiting : waiting_) {
      if ((++entry)->revents != 0) waiting->is_ready.set();
    }
  }

  void wake() noexcept override {
    [[maybe_unused]] const auto written = ::write(pipe_in_.get(), "", 1);  // poll(2) returns also if the pipe was full
  }

 private:
  /// Stands in the frame of the coroutine that waits. So the reactor forgets it when the coroutine goes on, is
  /// cancelled, or is destroyed.
  class Waiting {
   public:
    Waiting(PollReactor& reactor, int its_fd, short its_events) : fd(its_fd), events(its_events), reactor_(reactor) {
      reactor_.waiting_.insert(this);
    }
    Waiting(const Waiting&) = delete;
    ~Waiting() { reactor_.waiting_.erase(this); }

    const int fd;
    const short events;
    errand::Event is_ready;

   private:
    PollReactor& reactor_;
  };

  errand::Coro<> ready(int fd, short events) {
    Waiting waiting(*this, fd, events);
    co_await waiting.is_ready.wait();
  }

  static std::pair<int, int> make_pipe() {
    int ends[2];
    checked(::pipe(ends), "pipe");
    return {ends[0], ends[1]};
  }
  explicit PollReactor(std::pair<int, int> pipe) : pipe_out_(pipe.first), pipe_in_(pipe.second) {}

  void empty_pipe() {
    char bytes[64];
    while (::read(pipe_out_.get(), bytes, sizeof bytes) > 0) {
    }
  }

  /// Returns the time from now to `until` as a time-out for poll(2), which is negative if there is no limit. It is
  /// rounded up, because poll(2) would return too early otherwise, and the App would only call `wait` again.
  static int milliseconds(std::optional<errand::Clock::time_point> until) {
    if (!until) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - errand::Clock::now());
    return static_cast<int>(std::clamp(left, 0ms, 60'000ms).count());
  }

  Descriptor pipe_out_, pipe_in_;
  std::set<Waiting*> waiting_;
  std::vector<pollfd> polled_;
};

// The server

class Connection {
 public:
  Connection(PollReactor& reactor, Descriptor socket) : reactor_(reactor), socket_(std::move(socket)) {}

  /// Returns the next line without its line end, or nullopt if the client has closed the connection.
  errand::Coro<std::optional<std::string>> read_line() {
    constexpr std::size_t longest = 64 * 1024;
    while (true) {
      if (const auto end = input_.find('\n'); end != std::string::npos) {
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        co_return line;
      }
      if (input_.size() > longest) throw std::runtime_error("a line is too long");
      co_await reactor_.readable(socket_);  // so a client that never stops sending does not keep the others waiting
      char bytes[4096];
      const ssize_t count = ::recv(socket_.get(), bytes, sizeof bytes, 0);
      if (count == 0) co_return std::nullopt;
      if (count < 0 && would_block()) continue;
      input_.append(bytes, static_cast<std::size_t>(checked(count, "recv")));
    }
  }

  errand::Coro<> write(std::string text) {
    for (std::string_view left = text; !left.empty();) {
      const ssize_t count = ::send(socket_.get(), left.data(), left.size(), 0);
      if (count < 0 && would_block()) {
        co_await reactor_.writable(socket_);
      } else {
        left.remove_prefix(static_cast<std::size_t>(checked(count, "send")));
      }
    }
  }

 private:
  PollReactor& reactor_;
  Descriptor socket_;
  std::string input_;
};

errand::Coro<std::string> execute(errand::App& app, std::string line) {
  std::istringstream words(line);
  std::string command, argument;
  words >> command;
  std::getline(words >> std::ws, argument);
  if (command == "echo") co_return argument;
  if (command == "tasks") {
    std::string names;
    for (const errand::Task<>& task : app.tasks()) names += (names.empty() ? "" : " ") + task.name();
    co_return names;
  }
  if (command == "cancel") {
    const bool cancelled = co_await app.cancel_task(argument);
    co_return argument + (cancelled ? " is cancelled" : " was done");
  }
  co_return "echo TEXT, tasks, cancel NAME, or quit";
}

errand::Coro<> serve(errand::App& app, PollReactor& reactor, Descriptor socket) {
  Connection client(reactor, std::move(socket));
  while (const auto line = co_await client.read_line()) {
    if (*line == "quit") break;
    std::string answer;
    try {
      answer = co_await execute(app, *line);
    } catch (const std::exception& error) {
      answer = std::string("error: ") + error.what();
    }
    co_await client.write(answer + "\n");
  }
}

errand::Coro<> accept(errand::App& app, PollReactor& reactor, Descriptor listening) {
  for (int id = 1;;) {
    co_await reactor.readable(listening);
    Descriptor socket(::accept(listening.get(), nullptr, nullptr));
    if (socket) {
      app.add_task(serve(app, reactor, std::move(socket)), "client:" + std::to_string(id++));
    } else if (!would_block()) {
      co_await errand::sleep(100ms);  // the process may have no descriptor left: tries again later
    }
  }
}

/// Listens on any free port of this machine, and prints the port.
Descriptor listen() {
  Descriptor listening(checked(::socket(AF_INET, SOCK_STREAM, 0), "socket"));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  checked(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  checked(::listen(listening.get(), SOMAXCONN), "listen");
  checked(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  std::cout << "listening on 127.0.0.1:" << ntohs(address.sin_port) << std::endl;
  return listening;
}

/// Called when a task has failed. It is not an error if a client closes its connection.
void report(const errand::TaskFailure& failure) {
  try {
    std::rethrow_exception(failure.exception());
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::connection_reset || error.code() == std::errc::broken_pipe) return;
  } catch (...) {
  }
  std::cerr << failure.name() << ": " << failure.what() << '\n';
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);  // a send to a client that has gone fails with an error, and does not end the process
  PollReactor reactor;
  errand::App app("server", {.reactor = &reactor, .purge_when_done = true, .on_failure = report});
  app.add_task(accept(app, reactor, listen()), "accept");
  app.run({.handle_signals = true});
}
