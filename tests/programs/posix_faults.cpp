// SPDX-License-Identifier: MIT
// Lets each system call that posix.hpp makes fail, the first time, the second time, and so on, with errors that the
// call may really give. The tasks must end, with an error or without one: nothing hangs, and no descriptor is left.
// Errors that only say "try again" must not be seen at all.
//
// The linker replaces the calls by those of this file: `-Wl,--wrap=read` and so on.
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errand/errand.hpp>
#include <errand/posix.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

const char* failing = "";  // the name of the call
int error = 0;             // its errno
long number = 0;           // of the call that fails: 1 is the next one
bool has_failed = false;

bool fails(const char* call) {
  if (std::strcmp(call, failing) != 0 || --number != 0) return false;
  errno = error;
  return has_failed = true;
}

}  // namespace

// The linker makes these names. Each function stands for the system call of its name.
#define WRAPPED(result, call, parameters, arguments) \
  extern "C" result __real_##call parameters;        \
  extern "C" result __wrap_##call parameters;        \
  extern "C" result __wrap_##call parameters { return fails(#call) ? -1 : __real_##call arguments; }
WRAPPED(int, socket, (int a, int b, int c), (a, b, c))
WRAPPED(int, connect, (int a, const sockaddr* b, socklen_t c), (a, b, c))
WRAPPED(int, bind, (int a, const sockaddr* b, socklen_t c), (a, b, c))
WRAPPED(int, listen, (int a, int b), (a, b))
WRAPPED(int, accept4, (int a, sockaddr* b, socklen_t* c, int d), (a, b, c, d))
WRAPPED(int, setsockopt, (int a, int b, int c, const void* d, socklen_t e), (a, b, c, d, e))
WRAPPED(int, getsockopt, (int a, int b, int c, void* d, socklen_t* e), (a, b, c, d, e))
WRAPPED(int, getsockname, (int a, sockaddr* b, socklen_t* c), (a, b, c))
WRAPPED(ssize_t, recv, (int a, void* b, size_t c, int d), (a, b, c, d))
WRAPPED(ssize_t, send, (int a, const void* b, size_t c, int d), (a, b, c, d))
WRAPPED(ssize_t, read, (int a, void* b, size_t c), (a, b, c))
WRAPPED(int, pipe, (int* a), (a))
WRAPPED(int, epoll_create1, (int a), (a))
WRAPPED(int, epoll_ctl, (int a, int b, int c, epoll_event* d), (a, b, c, d))
WRAPPED(int, epoll_wait, (int a, epoll_event* b, int c, int d), (a, b, c, d))
WRAPPED(int, ppoll, (pollfd * a, nfds_t b, const timespec* c, const sigset_t* d), (a, b, c, d))
WRAPPED(int, sigaction, (int a, const struct sigaction* b, struct sigaction* c), (a, b, c))
WRAPPED(int, waitid, (idtype_t a, id_t b, siginfo_t* c, int d), (a, b, c, d))
WRAPPED(pid_t, waitpid, (pid_t a, int* b, int c), (a, b, c))
WRAPPED(long, syscall, (long a, long b, long c), (a, b, c))

extern "C" ssize_t __real_write(int, const void*, size_t);
extern "C" ssize_t __wrap_write(int, const void*, size_t);
extern "C" ssize_t __wrap_write(int fd, const void* text, size_t size) {
  const bool wakes = size == 1 && *static_cast<const char*>(text) == 0;  // the loop; it can only fail if that is awake
  return !wakes && fails("write") ? -1 : __real_write(fd, text, size);
}

namespace {

struct Fault {
  const char* call;
  int error;
  bool is_survived = false;  // all goes on as if nothing had happened
};
const Fault faults[] = {
    {"socket", EMFILE},
    {"connect", ECONNREFUSED},
    {"connect", EADDRNOTAVAIL},
    {"bind", EADDRINUSE},
    {"listen", EADDRINUSE},
    {"accept4", ECONNABORTED, true},
    {"accept4", EAGAIN, true},
    {"accept4", EINTR, true},
    {"accept4", EMFILE, true},
    {"accept4", ENOBUFS, true},
    {"accept4", EBADF},
    {"setsockopt", ENOPROTOOPT},
    {"getsockopt", EBADF},
    {"getsockname", ENOBUFS},
    {"recv", ECONNRESET},
    {"recv", EAGAIN, true},
    {"recv", EINTR, true},
    {"send", EPIPE},
    {"send", EAGAIN, true},
    {"send", EINTR, true},
    {"read", EIO},
    {"read", EINTR, true},
    {"write", EIO},
    {"write", EINTR, true},
    {"pipe", EMFILE},
    {"epoll_create1", EMFILE},
    {"epoll_ctl", ENOMEM},
    {"epoll_ctl", ENOSPC},
    {"epoll_wait", EINTR, true},
    {"epoll_wait", EBADF},
    {"ppoll", EINTR, true},
    {"sigaction", EINVAL},
    {"waitid", EINTR, true},
    {"waitid", ECHILD},
    {"waitpid", EINTR, true},
    {"waitpid", ECHILD},
    {"syscall", ENOSYS, true},  // pidfd_open
    {"syscall", EMFILE, true},
};

Coro<> echo(errand::Descriptor socket) {
  char bytes[16];
  while (const std::size_t count = co_await errand::read_some(socket, bytes)) {
    co_await errand::write_all(socket, std::string_view(bytes, count));
  }
}

Coro<std::string> ask(std::uint16_t port) {
  const errand::Descriptor socket = co_await errand::connect("127.0.0.1", port);
  co_await errand::write_all(socket, "hello");
  char bytes[16];
  const std::size_t count = co_await errand::read_some(socket, bytes);
  co_return std::string(bytes, count);
}

Coro<std::string> use_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const errand::Descriptor out = ends[0], in = ends[1];
  char bytes[16];
  auto reading = errand::read_some(out, bytes);
  auto writing = errand::write_all(in, "piped");
  auto both = co_await errand::gather(std::move(reading), std::move(writing));
  co_return std::string(bytes, std::get<0>(both));
}

Coro<std::string> use_everything(errand::App& app) {
  const errand::Descriptor listener = errand::listen("127.0.0.1", 0);
  const auto port = errand::local_port(listener);
  const auto serve = [&]() -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      errand::Descriptor socket = co_await errand::accept(listener);
      app.add_task(echo(std::move(socket)));
    }
  };
  auto asking = errand::gather(ask(port), ask(port), use_pipe(), serve());
  auto answers = co_await errand::wait_for(std::move(asking), 3s);

  auto hung_up = errand::signal(SIGUSR1);
  ::kill(::getpid(), SIGUSR1);
  co_await errand::wait_for(std::move(hung_up), 3s);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(5);
  const int status = co_await errand::wait_for(errand::exited(child), 3s);
  co_return std::get<0>(answers) + std::get<1>(answers) + std::get<2>(answers) + std::to_string(WEXITSTATUS(status));
}

long open_descriptors() {
  long count = 0;
  for (int fd = 0; fd < 64; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
  return count;
}

/// Returns how the program has ended.
std::string run() {
  std::string reported;
  try {
    errand::PosixReactor reactor;
    errand::App app("faults", {.reactor = &reactor, .graceful_timeout = 2s, .on_failure = [&](const auto& failure) {
                                 reported += " reported: " + std::string(failure.what());
                                 errand::App::current().stop();  // who waits for that task would wait for ever
                               }});
    return app.run(use_everything(app)) + reported;
  } catch (const errand::TimeoutError&) {
    return "timed out" + reported;
  } catch (const std::exception& thrown) {
    return std::string("error: ") + thrown.what() + reported;
  }
}

}  // namespace

int main() {
  ::signal(SIGUSR1, SIG_IGN);
  ::alarm(300);
  const std::string good = "hellohellopiped5";
  int failed = 0;
  long injected = 0;
  const std::string first = run();  // threads and other things are there from now on
  if (first != good) std::printf("FAILED without an error: %s\n", first.c_str()), ++failed;
  const long descriptors = open_descriptors();
  for (const Fault& fault : faults) {
    for (long n = 1;; ++n) {
      failing = fault.call;
      error = fault.error;
      number = n;
      has_failed = false;
      const std::string end = run();
      failing = "";
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {  // a child whose wait has failed
      }
      if (!has_failed) break;
      ++injected;
      const bool is_good = end == good;
      const bool as_expected = fault.is_survived ? is_good : end.find("timed out") == std::string::npos;
      if (!as_expected || open_descriptors() != descriptors) {
        std::printf("FAILED %s %ld, %s: %s\n", fault.call, n, std::strerror(fault.error), end.c_str());
        ++failed;
      }
      if (n > 50) break;
    }
    if (!has_failed && injected == 0) std::printf("FAILED %s is never called\n", fault.call), ++failed;
  }
  std::printf("%ld system calls failed, and %d times it ended badly\n", injected, failed);
  return failed > 0;
}
