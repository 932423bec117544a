// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <errand/coro.hpp>
#include <errand/descriptor.hpp>
#include <errand/detail/posix/child.hpp>
#include <errand/detail/posix/reactor.hpp>

namespace errand {

/// A Reactor with which tasks wait for descriptors, signals and child processes: on epoll(7) on Linux, on poll(2)
/// elsewhere. Give it to the App as `AppConfig::reactor`; it must outlive the App. This header is not part of
/// errand.hpp.
///
///     errand::Coro<> echo(errand::Descriptor socket) {
///       char bytes[1024];
///       while (const std::size_t count = co_await errand::read_some(socket, bytes)) {
///         co_await errand::write_all(socket, std::string_view(bytes, count));
///       }
///     }
///     errand::Coro<> serve(errand::App& app, errand::Descriptor listener) {
///       while (true) {
///         errand::Descriptor socket = co_await errand::accept(listener);
///         app.add_task(echo(std::move(socket)));
///       }
///     }
///     int main() {
///       errand::PosixReactor reactor;
///       errand::App app("echo", {.reactor = &reactor});
///       app.run(serve(app, errand::listen("127.0.0.1", 7777)));
///     }
///
/// (A server for strangers also limits the time of each call and the number of clients, and catches `TimeoutError` and
/// `std::system_error` in the task of the client.)
///
/// Each of the functions below takes a descriptor as an `int` or as a `const Descriptor&`. All of them may be used by
/// several tasks on one descriptor at once, and a wait that is cancelled leaves the others as they are. They may stand
/// in `wait_for`, `race` and the other combinators. If the App of the task has another Reactor or none, the awaits
/// throw `InvalidState`. Errors of the system are `std::system_error`s whose message names the call and the peer, such
/// as "connect to 127.0.0.1:81: Connection refused". No call raises SIGPIPE.
///
/// While tasks are ready, it looks for input every 20 µs at most, because a look takes longer than many turns. So idle
/// descriptors cost nothing, and a task that waits for one is not starved.
///
/// A PosixReactor serves the Apps of one thread, and of one process: make it after fork(2). With `App::poll`, it is the
/// host that has to wait: by `reactor.wait` with the time of `App::next_deadline`, on the thread of the App.
class PosixReactor final : public detail::PosixReactorOn<detail::BestPoller> {};

/// Waits until a descriptor can be read from without blocking: there is input, its end, or an error. Gives nothing:
/// `co_await errand::readable(fd)`. A wait may end although nothing is there any more, if another task was faster: so
/// read from a descriptor that is non-blocking, or use `read_some`. A regular file is always readable: the await lets
/// other tasks run, as a `yield`.
///
/// Throws `Cancelled` if the task is asked to end, `InvalidState` if the descriptor is a `Descriptor` and is closed
/// meanwhile, and `std::system_error` if there is no such descriptor.
detail::Readiness readable(detail::Fd fd);
/// Waits until a descriptor can be written to without blocking, like `readable`.
detail::Readiness writable(detail::Fd fd);

/// Waits for a signal of the process, such as SIGHUP: `co_await errand::signal(SIGHUP)`. The first call for a number,
/// inside an App with a PosixReactor, begins to handle that signal, until the PosixReactor is destroyed. Meanwhile the
/// signal does nothing else: ^C no longer ends a program that handles SIGINT. From the first call on arrivals are
/// counted, and each await takes one, so that none is lost between two awaits. (The system itself counts several that
/// come at the same moment as one.)
///
/// Throws `Cancelled` if the task is asked to end, and `std::system_error` if there is no such signal or it cannot be
/// handled. Throws `InvalidState` if a run with `RunOptions::handle_signals`, or another PosixReactor, handles the
/// signal. Such a run, in turn, throws `InvalidState` if SIGINT or SIGTERM is handled here.
detail::SignalArrival signal(int number);

/// Waits until a child process has ended, and gives its status, as waitpid(2) does: `const int status =
/// co_await errand::exited(pid)`. Only one await gets the status of a child. If the task is asked to end, `Cancelled`
/// is thrown, and the child runs on: await it again, or it remains as a zombie. Throws `std::system_error` if the
/// process is no child of this one, or has been waited for.
///
/// If the system has no pidfd_open(2), or no descriptor for it, SIGCHLD is handled from then on, until the PosixReactor
/// is destroyed. If another PosixReactor handles SIGCHLD, that throws `InvalidState`.
detail::ChildEnd exited(pid_t pid);

/// Reads what is there, but no more than `into` has room for, and gives the number of bytes. Waits if nothing is there.
/// Gives 0 at the end: the peer sends no more, or the file is over; and if `into` is empty. Each call waits for a turn
/// of the loop, so a peer that never stops sending does not starve other tasks.
///
/// It does not matter if the descriptor is blocking, as the standard input is: the loop does not block. If the task is
/// asked to end, `Cancelled` is thrown and nothing has been read. `into` must exist until the await ends.
Coro<std::size_t> read_some(detail::Fd fd, std::span<char> into);

/// Writes all of `text`. Waits while the peer does not take it; does not suspend if it is taken at once. If the task is
/// asked to end, `Cancelled` is thrown, and an unknown part has been written. The text must exist until the await ends.
/// If two tasks write to one descriptor at once, their pieces mix: use a `Lock`.
///
/// A pipe that is blocking, as the standard output may be, is written to in pieces that it has room for. A terminal
/// that is blocking may block the loop, if whoever shows it does not read on.
Coro<> write_all(detail::Fd fd, std::string_view text);

/// Waits for a connection to a socket that listens, and gives its socket, which is non-blocking, closed in programs
/// that this process starts, and has TCP_NODELAY if it is one of TCP's.
///
/// A client that has gone before it was accepted (ECONNABORTED) is no error. Nor is a lack of descriptors or memory
/// (EMFILE, ENFILE, ENOBUFS, ENOMEM). Then it looks again after 100 ms, and so a server that has too many clients goes
/// on when some have left. If the task is asked to end, `Cancelled` is thrown, and no connection is lost.
Coro<Descriptor> accept(detail::Fd fd);

/// Connects to a port of a host, and gives the socket, made as `accept` makes it. The host is a name or an address in
/// numbers, such as "::1". A name is looked up by getaddrinfo(3) on a thread, as `to_thread` does; the addresses are
/// tried one after the other. The error of the last one comes out, or that of the look-up. There is no time-out but the
/// system's: use `wait_for`. If the task is asked to end, `Cancelled` is thrown at once; only the end of the App waits
/// for a look-up that is under way.
Coro<Descriptor> connect(std::string host, std::uint16_t port);

/// Listens on a port of this machine, on any free one if the port is 0, and returns the socket, which is non-blocking.
/// It is not awaited, and needs no App. The host is the address to listen on: "127.0.0.1" for programs of this machine,
/// "0.0.0.0" or "::" for all. If it is a name, looking it up blocks. A port that was used a moment ago can be used
/// again (SO_REUSEADDR). Throws `std::system_error`.
Descriptor listen(const std::string& host, std::uint16_t port);

/// Returns the port of this end of a socket. Throws `std::system_error` if it has none.
std::uint16_t local_port(detail::Fd fd);

}  // namespace errand

// Implementation

#include <errand/detail/posix/streams.hpp>

#include <errand/detail/epilogue.hpp>
