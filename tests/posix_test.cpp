// SPDX-License-Identifier: MIT
// Tests of posix.hpp. Each of them runs on both pollers: on the best one of the system, and on poll(2).
#if !defined(_WIN32) && !defined(__EMSCRIPTEN__)
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errand/posix.hpp>

#include <array>
#include <memory>
#include <sstream>
#include <thread>

#include "real_fixture.hpp"
#include "waiting.hpp"

using errand::Descriptor;
using errand::PosixReactor;

namespace {

class PollReactor final : public errand::detail::PosixReactorOn<errand::detail::Poll> {};

enum class Poller { best, poll };
constexpr std::array both{Poller::best, Poller::poll};

std::unique_ptr<errand::Reactor> make_reactor(Poller poller) {
  if (poller == Poller::poll) return std::make_unique<PollReactor>();
  return std::make_unique<PosixReactor>();
}

struct HasReactor {
  std::unique_ptr<errand::Reactor> reactor;
};
/// An App on a reactor and the real clock.
class PosixFixture : public HasReactor, public support::RealFixture {
 public:
  explicit PosixFixture(Poller poller) : HasReactor{make_reactor(poller)}, RealFixture({.reactor = reactor.get()}) {}

  template <class Work>
  auto add(Work&& work) {
    return app.add_task(std::forward<Work>(work));
  }
};

/// The same on a ManualClock.
class PosixFixtureOnManualClock : public HasReactor, public support::Fixture {
 public:
  explicit PosixFixtureOnManualClock(Poller poller)
      : HasReactor{make_reactor(poller)}, Fixture(errand::AppConfig{.reactor = reactor.get()}) {}
};

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    out = ends[0];
    in = ends[1];
  }
  void put(std::string_view text) const { REQUIRE(::write(in.get(), text.data(), text.size()) == long(text.size())); }

  Descriptor out, in;
};
struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    a = ends[0];
    b = ends[1];
  }
  Descriptor a, b;
};

/// Reads to the end, at most `most` bytes at once.
Coro<std::string> read_all(const Descriptor& from, std::size_t most = 4096) {
  std::string text, buffer(most, ' ');
  while (const std::size_t count = co_await errand::read_some(from, buffer)) text.append(buffer, 0, count);
  co_return text;
}

/// Waits, and returns a word for what ended the wait.
template <class A>
Coro<std::string> end_of(A awaitable) {
  try {
    co_await std::move(awaitable);
  } catch (const InvalidState&) {
    co_return "InvalidState";
  } catch (const std::system_error& error) {
    co_return error.what();
  }
  co_return "ready";
}

/// Compares what an await has given. The macros of Catch would await it several times, if it stood inside them.
template <class T, class U>
void same(const T& got, const U& wanted, unsigned line = __builtin_LINE()) {
  INFO("line " << line);
  CHECK(got == static_cast<T>(wanted));
}

/// Lets everything happen that can happen without time.
Coro<> settle() {
  for (int i = 0; i < 5; ++i) co_await errand::yield();
}

pid_t run_child(int status, std::chrono::milliseconds after = 0ms) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  std::this_thread::sleep_for(after);
  ::_exit(status);
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

template <class R>
struct PipeWaiters : waiting::ServesAll {
  static constexpr const char* name = "descriptor";
  static constexpr bool serves_later = true;
  static errand::AppConfig config() {
    static R reactor;
    return {.reactor = &reactor};
  }
  explicit PipeWaiters(std::size_t) {}
  auto wait() { return errand::readable(pipe.out); }
  Coro<> serve() {
    pipe.put("x");
    co_return;
  }
  bool settled(std::size_t serves) { return errand::detail::is_ready(pipe.out.get(), POLLIN) == (serves > 0); }

  Pipe pipe;
};
using BestPipe = PipeWaiters<PosixReactor>;
using PolledPipe = PipeWaiters<PollReactor>;

}  // namespace

WAITING_TESTS(BestPipe, "a descriptor")

// poll(2) does not tell which of two descriptors was ready first, and so cannot pass all of those tests.
TEST_CASE("a descriptor, on poll(2): waiters that leave disturb no other, and the App may end while they wait") {
  for (const char leaves : {waiting::cancelled, waiting::aborted, waiting::timed_out}) {
    PosixFixtureOnManualClock f(Poller::poll);
    f.app.run(waiting::crowd<PolledPipe>(f, leaves));
  }
  for (const bool is_served : {false, true}) {
    for (const bool subject_first : {false, true}) waiting::teardown<PolledPipe>(is_served, subject_first);
  }
}

// The body is a coroutine, and runs once with each poller.
#define POSIX_TEST_OF(test, name)                                 \
  namespace {                                                     \
  struct test : PosixFixture {                                    \
    using PosixFixture::PosixFixture;                             \
    Coro<> body();                                                \
  };                                                              \
  TEST_CASE(name) {                                               \
    for (const Poller poller : both) {                            \
      INFO((poller == Poller::poll ? "poll(2)" : "best poller")); \
      test fixture(poller);                                       \
      fixture.app.run(fixture.body());                            \
      CHECK(fixture.reports.empty());                             \
    }                                                             \
  }                                                               \
  }                                                               \
  Coro<> test::body()
#define POSIX_TEST_LINE(line, name) POSIX_TEST_OF(PosixTest##line, name)
#define POSIX_TEST_AT(line, name) POSIX_TEST_LINE(line, name)
#define POSIX_TEST(name) POSIX_TEST_AT(__LINE__, name)

// Descriptors

POSIX_TEST("read_some gives what is there, up to the size of the buffer, and 0 at the end") {
  Pipe pipe;
  pipe.put("hello");
  char buffer[3];
  std::vector<std::size_t> counts;
  counts.push_back(co_await errand::read_some(pipe.out, buffer));
  counts.push_back(co_await errand::read_some(pipe.out.get(), buffer));
  auto last = add(errand::read_some(pipe.out, buffer));
  co_await settle();
  CHECK_FALSE(last.done());
  pipe.in = Descriptor();
  counts.push_back(co_await last);
  CHECK((counts == std::vector<std::size_t>{3, 2, 0}));
}

POSIX_TEST("several tasks wait for one descriptor in both directions, and each wait ends or is cancelled alone") {
  Pair pair;
  const auto text = std::string(1 << 20, 'x');
  auto writer = add(errand::write_all(pair.a, text));
  auto gone = add(end_of(errand::readable(pair.a)));
  auto first = add(end_of(errand::readable(pair.a)));
  auto second = add(end_of(errand::readable(pair.a)));
  auto aborted = add(end_of(errand::readable(pair.a)));
  co_await settle();
  gone.cancel();
  aborted.abort();
  co_await settle();
  CHECK((gone.cancelled() && !first.done() && !second.done() && !writer.done()));

  char buffer[1 << 16];
  std::size_t got = 0;
  while (got < text.size()) got += co_await errand::read_some(pair.b, buffer);
  co_await writer;
  co_await settle();
  CHECK((!first.done() && !second.done()));
  co_await errand::write_all(pair.b, "x");
  same(co_await first, "ready");
  same(co_await second, "ready");
}

POSIX_TEST("the combinators take waits for descriptors") {
  Pipe a, b;
  char buffer[8];
  same(bool(co_await errand::move_on_after(errand::readable(a.out), 1ms)), false);
  same((co_await errand::move_on_after(errand::read_some(a.out, buffer), 1ms)).has_value(), false);
  b.put("b");
  auto race = co_await errand::race(errand::readable(a.out), errand::readable(b.out));
  CHECK(race.index() == 1);
  a.put("a");
  char other[8];
  auto [x, y] = co_await errand::gather(errand::read_some(a.out, buffer), errand::read_some(b.out, other));
  CHECK((x == 1 && y == 1 && buffer[0] == 'a' && other[0] == 'b'));
}

POSIX_TEST("the loser of a race takes nothing, although its wait has ended too") {
  Pipe first, second;
  first.put("first");
  second.put("second");
  char one[16], two[16];
  const auto read = co_await errand::race(errand::read_some(first.out, one), errand::read_some(second.out, two));
  const Descriptor& unread = read.index() == 0 ? second.out : first.out;
  const std::size_t count = co_await errand::wait_for(errand::read_some(unread, two), 5s);
  CHECK(count == (read.index() == 0 ? 6 : 5));

  const Descriptor here = errand::listen("127.0.0.1", 0), there = errand::listen("127.0.0.1", 0);
  const Descriptor a = co_await errand::connect("127.0.0.1", errand::local_port(here));
  const Descriptor b = co_await errand::connect("127.0.0.1", errand::local_port(there));
  const auto accepted = co_await errand::race(errand::accept(here), errand::accept(there));
  const Descriptor& unaccepted = accepted.index() == 0 ? there : here;
  const Descriptor left = co_await errand::wait_for(errand::accept(unaccepted), 5s);
  CHECK(left);
}

POSIX_TEST("a number that is no descriptor is an error, however large it is") {
  const std::string large = co_await end_of(errand::readable(2'000'000'000));
  CHECK(large == "wait for descriptor 2000000000: Bad file descriptor");
  const std::string negative = co_await end_of(errand::readable(-1));
  CHECK(negative == "wait for descriptor -1: Bad file descriptor");
}

POSIX_TEST("a Descriptor that is closed ends the waits for it, also those that have ended and not resumed yet") {
  Pair pair;
  auto closed = std::make_unique<Descriptor>(std::move(pair.a));
  char buffer[8];
  const std::string much(1 << 22, 'x');
  auto readable = add(end_of(errand::readable(*closed)));
  auto reading = add(end_of(errand::read_some(*closed, buffer)));
  auto writing = add(end_of(errand::write_all(*closed, much)));
  auto raced = add([](const Descriptor& fd) -> Coro<std::string> {
    try {
      co_await errand::race(errand::readable(fd), errand::sleep(1h));
    } catch (const InvalidState&) {
      co_return "InvalidState";
    }
    co_return "ready";
  }(*closed));
  co_await settle();
  closed.reset();
  same(co_await readable, "InvalidState");
  same(co_await reading, "InvalidState");
  same(co_await writing, "InvalidState");
  same(co_await raced, "InvalidState");

  Pipe pipe;
  closed = std::make_unique<Descriptor>(std::move(pipe.out));
  auto closes = add([](std::unique_ptr<Descriptor>& mine) -> Coro<> {
    co_await errand::readable(*mine);
    mine.reset();
  }(closed));
  auto behind = add(end_of(errand::read_some(*closed, buffer)));
  co_await settle();
  pipe.put("x");
  co_await closes;
  same(co_await behind, "InvalidState");
}

POSIX_TEST("a Descriptor may be moved and released while it is waited for") {
  Pipe pipe;
  Descriptor other, third(::dup(pipe.out.get()));
  const int closed = third.get();
  char buffer[8];
  auto reading = add(errand::read_some(pipe.out, buffer));
  auto lost = add(end_of(errand::readable(third)));
  co_await settle();
  other = std::move(pipe.out);
  third = std::move(other);
  CHECK((!pipe.out && !other && third && !is_open(closed)));
  same(co_await lost, "InvalidState");
  const int fd = third.release();
  CHECK((!third && third.get() == -1 && third.release() == -1));
  pipe.put("abc");
  same(co_await reading, 3);
  CHECK(is_open(fd));
  ::close(fd);
}

POSIX_TEST("a Descriptor that a task waits for is not given up on another thread") {
  Pipe pipe;
  auto waiting = add(end_of(errand::readable(pipe.out)));
  co_await settle();
  bool refused = false;
  std::thread([&] {
    try {
      pipe.out.release();
    } catch (const errand::WrongThread&) {
      refused = true;
    }
  }).join();
  CHECK(refused);
  pipe.put("x");
  same(co_await waiting, "ready");
  CHECK(pipe.out);
}

POSIX_TEST("a Coro that begins after its Descriptor was closed does not use the number") {
  Pair pair;
  const int number = pair.a.get();
  auto writing = errand::write_all(pair.a, "to nobody");
  auto reading = errand::accept(pair.a);
  auto waiting = errand::readable(pair.a);
  auto copy = waiting;
  pair.a = Descriptor();
  Pair others;  // one of these has the number now
  CHECK((others.a.get() == number || others.b.get() == number));
  same(co_await end_of(std::move(writing)), "InvalidState");
  same(co_await end_of(std::move(reading)), "InvalidState");
  same(co_await end_of(waiting), "InvalidState");
  same(co_await end_of(copy), "InvalidState");
  same(co_await end_of(errand::readable(Descriptor())), "InvalidState");
}

POSIX_TEST("a number that is closed between two waits, and used again, is waited for anew") {
  char byte;
  for (int round = 0; round < 3; ++round) {
    Pipe pipe;
    const int fd = ::dup(pipe.out.get());
    same(bool(co_await errand::move_on_after(errand::readable(fd), 1ms)), false);
    ::close(fd);
    Pipe next;
    const int again = ::dup(next.out.get());
    pipe.put("x");  // an answer that was armed for the old one, if the file is still open, is for nobody
    same((co_await errand::move_on_after(errand::read_some(again, std::span(&byte, 1)), 2ms)).has_value(), false);
    next.put("y");
    same(co_await errand::read_some(again, std::span(&byte, 1)), 1);
    ::close(again);
  }
}

POSIX_TEST("a regular file is always ready, and a loop over it lets others run") {
  Descriptor file(::open("/proc/self/exe", O_RDONLY));
  char buffer[16];
  bool ran = false;
  add([&]() -> Coro<> {
    ran = true;
    co_return;
  });
  co_await errand::readable(file);
  CHECK(ran);
  same(co_await errand::read_some(file, buffer), sizeof buffer);
  same(co_await end_of(errand::writable(file)), "ready");
  auto cancelled = add(end_of(errand::readable(file)));
  cancelled.cancel();
  co_await errand::wait_all(cancelled);
  CHECK(cancelled.cancelled());
}

POSIX_TEST("a descriptor that does not exist is an error that names it") {
  const std::string text = co_await end_of(errand::readable(9999));
  CHECK(text == "wait for descriptor 9999: Bad file descriptor");
  same(co_await end_of(errand::readable(-1)), "wait for descriptor -1: Bad file descriptor");
  same(co_await end_of(errand::write_all(9999, "x")), "write to descriptor 9999: Bad file descriptor");
}

POSIX_TEST("descriptors that are blocking do not block the loop") {
  Pipe pipe;
  char a[4], b[4];
  auto first = add(errand::read_some(pipe.out, a));
  auto second = add(errand::read_some(pipe.out, b));  // both are woken, and one of them finds nothing
  co_await settle();
  pipe.put("x");
  co_await errand::sleep(2ms);
  CHECK(first.done() != second.done());
  pipe.put("y");
  same(co_await first, 1u);
  same(co_await second, 1u);

  const std::string much(300'000, 'x');
  auto writing = add(errand::write_all(pipe.in, much));
  co_await errand::sleep(2ms);
  CHECK_FALSE(writing.done());
  std::string buffer(10'000, ' ');
  std::size_t got = 0;
  while (got < much.size()) got += co_await errand::read_some(pipe.out, buffer);
  co_await writing;
}

POSIX_TEST("a write to what nobody reads is an error, and no SIGPIPE") {
  Pipe pipe;
  Pair pair;
  pipe.out = Descriptor();
  pair.b = Descriptor();
  const auto broken = [](const Descriptor& fd) {
    return "write to descriptor " + std::to_string(fd.get()) + ": Broken pipe";
  };
  same(co_await end_of(errand::write_all(pipe.in, "x")), broken(pipe.in));
  same(co_await end_of(errand::write_all(pair.a, "x")), broken(pair.a));
  ::fcntl(pipe.in.get(), F_SETFL, O_NONBLOCK);
  same(co_await end_of(errand::write_all(pipe.in, "x")), broken(pipe.in));
}

// Sockets

POSIX_TEST("a listener and clients: echo, with an end, and several who accept at once") {
  const Descriptor listener = errand::listen("127.0.0.1", 0);
  const auto port = errand::local_port(listener);
  CHECK(port > 0);
  auto accepted = add([](const Descriptor& from) -> Coro<std::pair<Descriptor, Descriptor>> {
    auto [x, y] = co_await errand::gather(errand::accept(from), errand::accept(from));
    co_return std::pair(std::move(x), std::move(y));
  }(listener));
  auto [one, two] = co_await errand::gather(errand::connect("127.0.0.1", port), errand::connect("localhost", port));
  const auto [first, second] = co_await std::move(accepted);
  CHECK((::fcntl(one.get(), F_GETFL) & O_NONBLOCK));
  CHECK((::fcntl(first.get(), F_GETFL) & O_NONBLOCK));
  CHECK((::fcntl(first.get(), F_GETFD) & FD_CLOEXEC));
  co_await errand::write_all(one, "from one");
  one = Descriptor();
  co_await errand::write_all(two, "from two");
  two = Descriptor();
  std::string said = co_await read_all(first);
  said += co_await read_all(second, 3);
  CHECK((said == "from onefrom two" || said == "from twofrom one"));
}

POSIX_TEST("the errors of sockets name the call and the peer") {
  Descriptor listener = errand::listen("127.0.0.1", 0);
  const auto port = errand::local_port(listener);
  const std::string here = "127.0.0.1:" + std::to_string(port);
  CHECK_THROWS_WITH(errand::listen("127.0.0.1", port), "listen on " + here + ": Address already in use");
  Descriptor client = co_await errand::connect("127.0.0.1", port);
  Descriptor server = co_await errand::accept(listener);
  const std::string peer = "127.0.0.1:" + std::to_string(errand::local_port(client));
  const linger hard{1, 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  client = Descriptor();
  char buffer[8];
  same(co_await end_of(errand::read_some(server, buffer)), "read from " + peer + ": Connection reset by peer");
  same(co_await end_of(errand::write_all(server, "x")), "write to " + peer + ": Broken pipe");
  same(co_await end_of(errand::accept(server)), "accept on " + here + ": Invalid argument");
  listener = Descriptor();
  same(co_await end_of(errand::connect("127.0.0.1", port)), "connect to " + here + ": Connection refused");
  const std::string six = co_await end_of(errand::connect("::1", port));
  CHECK(six.starts_with("connect to [::1]:" + std::to_string(port) + ": "));
  const std::string nowhere = co_await end_of(errand::connect("nowhere.invalid", 80));
  CHECK(nowhere.starts_with("connect to nowhere.invalid:80: "));
  const std::string cut = co_await end_of(errand::connect(std::string("127.0.0.1\0.org", 14), port));
  CHECK(cut == "connect to 127.0.0.1");  // the text of an exception ends at the zero
  Pipe pipe;
  CHECK_THROWS_WITH(errand::local_port(pipe.out),
                    "local_port of descriptor " + std::to_string(pipe.out.get()) + ": Socket operation on non-socket");
  CHECK_THROWS_AS(errand::local_port(Descriptor()), InvalidState);
}

POSIX_TEST("a connect that is given up is closed, also while its name is looked up") {
  auto looked_up = add(errand::connect("nowhere.invalid", 80));
  co_await errand::yield();
  co_await errand::yield();
  looked_up.cancel();
  co_await errand::wait_all(looked_up);
  CHECK((looked_up.cancelled() || looked_up.done()));
  auto listener = errand::listen("127.0.0.1", 0);
  auto connecting = add(errand::connect("127.0.0.1", errand::local_port(listener)));
  co_await errand::yield();
  connecting.abort();
  CHECK(connecting.cancelled());
}

POSIX_TEST("an accept without descriptors waits until there are some") {
  const Descriptor listener = errand::listen("127.0.0.1", 0);
  const Descriptor client = co_await errand::connect("127.0.0.1", errand::local_port(listener));
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit none{3, limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto accepting = add(errand::accept(listener));
  co_await errand::sleep(20ms);
  const bool was_waiting = !accepting.done();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(was_waiting);
  same(bool(co_await std::move(accepting)), true);
}

// Signals

POSIX_TEST("arrivals of a signal are counted from the first call on, and each await takes one") {
  const auto hang_up = errand::signal(SIGUSR1);
  same(bool(co_await errand::move_on_after(errand::signal(SIGUSR1), 1ms)), false);
  ::kill(::getpid(), SIGUSR1);
  co_await errand::sleep(2ms);
  ::kill(::getpid(), SIGUSR1);
  co_await hang_up;
  co_await errand::signal(SIGUSR1);
  same(bool(co_await errand::move_on_after(errand::signal(SIGUSR1), 1ms)), false);

  auto aborted = add(end_of(errand::signal(SIGUSR1)));
  auto next = add(end_of(errand::signal(SIGUSR1)));
  co_await settle();
  ::kill(::getpid(), SIGUSR1);
  app.call_soon([aborted]() mutable { aborted.abort(); });
  same(co_await next, "ready");

  ::kill(::getpid(), SIGUSR1);
  auto race = co_await errand::race(errand::signal(SIGUSR1), errand::signal(SIGUSR2));
  CHECK(race.index() == 0);
}

POSIX_TEST("a task that sleeps without limit is woken by a signal, also one for another thread") {
  auto waiting = add(end_of(errand::signal(SIGUSR1)));
  co_await settle();
  std::thread([] { ::pthread_kill(::pthread_self(), SIGUSR1); }).join();
  same(co_await waiting, "ready");
}

POSIX_TEST("a signal that cannot be handled is refused at the call") {
  const auto refused = [](int number) {
    try {
      (void)errand::signal(number);
    } catch (const std::system_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refused(SIGKILL) == "signal 9: Invalid argument");
  CHECK(refused(0) == "signal 0: Invalid argument");
  CHECK(refused(9999) == "signal 9999: Invalid argument");
  co_return;
}

TEST_CASE("a signal belongs to one reactor or to a run that handles signals, and its old handler is put back") {
  static volatile sig_atomic_t handled = 0;
  const auto handler = [](int) { handled = handled + 1; };
  const auto old = ::signal(SIGTERM, handler);
  for (const Poller poller : both) {
    PosixFixture f(poller);
    f.app.add_task([]() -> Coro<> {
      CHECK_THROWS_WITH(errand::signal(SIGINT), "signal 2 is handled by a run with handle_signals already");
      (void)errand::signal(SIGUSR1);
      PosixFixture second(Poller::best);
      co_await errand::yield();
    });
    f.app.run({.handle_signals = true});
    handled = 0;
    ::raise(SIGTERM);
    CHECK(handled == 1);
    f.app.run(end_of(errand::move_on_after(errand::signal(SIGTERM), 0s)));
    ::raise(SIGTERM);
    CHECK(handled == 1);
    CHECK_THROWS_WITH(f.app.run({.handle_signals = true}), "signal 15 is handled by errand::signal already");
    CHECK(f.app.run(end_of(errand::signal(SIGTERM))) == "ready");
    PosixFixture other(poller);
    CHECK(other.app.run(end_of(errand::signal(SIGTERM))) == "InvalidState");
  }
  ::raise(SIGTERM);
  CHECK(handled == 2);
  ::signal(SIGTERM, old);
}

// Child processes

POSIX_TEST("exited gives the status of a child that ends before or during the wait, or is killed") {
  const pid_t early = run_child(3), late = run_child(4, 20ms), killed = run_child(5, 10s);
  co_await errand::sleep(5ms);
  const int first = co_await errand::exited(early);
  CHECK((WIFEXITED(first) && WEXITSTATUS(first) == 3));
  auto last = add([](pid_t child) -> Coro<int> { co_return co_await errand::exited(child); }(killed));
  const int second = co_await errand::exited(late);
  CHECK((WIFEXITED(second) && WEXITSTATUS(second) == 4));
  ::kill(killed, SIGKILL);
  const int third = co_await last;
  CHECK((WIFSIGNALED(third) && WTERMSIG(third) == SIGKILL));
  const std::string again = co_await end_of(errand::exited(killed));
  CHECK(again == "wait for process " + std::to_string(killed) + ": No child processes");
  same(co_await end_of(errand::exited(-1)), "wait for process -1: No child processes");
}

POSIX_TEST("a wait for a child that is given up loses no status") {
  const pid_t a = run_child(1, 300ms), b = run_child(2, 300ms);
  same((co_await errand::move_on_after(errand::exited(a), 1ms)).has_value(), false);
  auto aborted = add(end_of(errand::exited(a)));
  co_await settle();
  aborted.abort();
  auto race = co_await errand::race(errand::exited(a), errand::exited(b));
  const pid_t other = race.index() == 0 ? b : a;
  const int status = co_await errand::exited(other);
  const int won = race.index() == 0 ? std::get<0>(race.value()) : std::get<1>(race.value());
  CHECK(WEXITSTATUS(status) + WEXITSTATUS(won) == 3);
}

// GCC makes the awaiters of all operands first, and Clang one after the other.
POSIX_TEST("several awaits in one expression give all results, and what is cancelled loses nothing") {
  Pipe first, second;
  const auto arrival = errand::signal(SIGUSR1);  // from here on the signal does not end the process
  const auto all = [&](pid_t child) -> Coro<std::string> {
    std::ostringstream got;
    got << (co_await errand::readable(first.out), "input ") << (co_await errand::signal(SIGUSR1), "signal ")
        << WEXITSTATUS(co_await errand::exited(child)) << (co_await errand::writable(second.in), " room");
    co_return got.str();
  };
  for (const bool comes_early : {true, false}) {
    auto task = add(all(run_child(3, 5ms)));
    if (!comes_early) co_await errand::sleep(2ms);
    first.put("x");
    if (!comes_early) co_await errand::sleep(2ms);
    ::kill(::getpid(), SIGUSR1);
    same(co_await task, "input signal 3 room");
    char input = 0;
    REQUIRE(::read(first.out.get(), &input, 1) == 1);
  }
  first.put("x");
  // Cancelled while it waits for the signal, and while it waits for the child
  for (const bool has_signal : {false, true}) {
    const pid_t child = run_child(4, 10s);
    auto task = add(all(child));
    if (has_signal) ::kill(::getpid(), SIGUSR1);
    co_await errand::sleep(2ms);
    CHECK(task.cancel());
    co_await errand::wait_all(task);
    CHECK(task.cancelled());
    ::kill(child, SIGKILL);
    ::kill(::getpid(), SIGUSR1);
    co_await arrival;
    const int status = co_await errand::exited(child);
    CHECK(WIFSIGNALED(status));
    // GCC asks for the result of the first wait after the second one, so that it gives the arrival back.
    if (!has_signal) same(bool(co_await errand::move_on_after(arrival, 1ms)), false);
  }
}

// The reactor

TEST_CASE("an App without a PosixReactor says what is missing") {
  App app;
  const auto message = [&app](auto awaitable) -> std::string {
    try {
      app.run([](auto it) -> Coro<> { co_await std::move(it); }(std::move(awaitable)));
    } catch (const InvalidState& error) {
      return error.what();
    }
    return {};
  };
  const std::string expected =
      "this await needs an App with a PosixReactor: errand::PosixReactor reactor; "
      "errand::App app(\"name\", {.reactor = &reactor});";
  char buffer[8];
  CHECK(message(errand::readable(0)) == expected);
  CHECK(message(errand::writable(1)) == expected);
  CHECK(message(errand::signal(SIGHUP)) == expected);
  CHECK(message(errand::exited(1)) == expected);
  CHECK(message(errand::read_some(0, buffer)) == expected);
  CHECK(message(errand::write_all(1, "x")) == expected);
  CHECK(message(errand::accept(0)) == expected);
  CHECK(message(errand::connect("nowhere.invalid", 1)) == expected);
}

TEST_CASE("with a ManualClock, input comes before time") {
  for (const Poller poller : both) {
    PosixFixtureOnManualClock f(poller);
    Pipe pipe;
    const auto chat = [&]() -> Coro<> {
      char byte[1];
      for (int i = 0; i < 10; ++i) {
        pipe.put("x");
        co_await errand::wait_for(errand::read_some(pipe.out, byte), 1h);
      }
      f.log("read at", f.now());
      co_await errand::sleep(24h);
      f.log("slept to", f.now());
    };
    f.app.run(chat());
    f.expect("read at 0 ; slept to 86400");
  }
}

TEST_CASE("a clock of the user's tells how long to sleep") {
  struct EarlyClock : errand::ClockSource {
    errand::Clock::time_point now() override { return errand::Clock::now() - 1'000h; }
  };
  for (const Poller poller : both) {
    EarlyClock clock;
    const auto reactor = make_reactor(poller);
    App app("app", {.clock = &clock, .reactor = reactor.get()});
    const auto begun = errand::Clock::now();
    app.run(support::Fixture::after(20ms));
    CHECK((errand::Clock::now() - begun >= 20ms));
    CHECK((errand::Clock::now() - begun < 10s));
  }
}

TEST_CASE("a host that polls the App waits by the reactor itself") {
  for (const Poller poller : both) {
    PosixFixture f(poller);
    Pipe pipe;
    f.app.add_task([&]() -> Coro<> {
      char byte[1];
      f.log(co_await errand::read_some(pipe.out, byte));
      co_await errand::sleep(1ms);
      f.log("slept");
    });
    f.app.poll();
    pipe.put("x");
    while (f.app.poll()) f.reactor->wait(f.app.next_deadline());
    f.expect("1 ; slept");
  }
}

POSIX_TEST("other threads wake the App out of a sleep without limit, and no post is lost") {
  int ran = 0;
  errand::Event all;
  std::thread thread([&, alive = app.keep_alive()] {
    for (int i = 0; i < 3000; ++i) {
      app.post([&] {
        if (++ran == 3000) all.set();
      });
      if (i % 16 == 0) std::this_thread::yield();
    }
  });
  co_await all.wait();
  thread.join();
}

POSIX_TEST("a sleep of a fraction of a millisecond ends neither early nor a millisecond late") {
  auto shortest = std::chrono::nanoseconds::max();
  for (int i = 0; i < 50; ++i) {
    const auto begun = errand::Clock::now();
    co_await errand::sleep(150us);
    const auto took = errand::Clock::now() - begun;
    CHECK((took >= 150us));
    shortest = std::min(shortest, std::chrono::nanoseconds(took));
  }
  CHECK((shortest < 900us));
}

TEST_CASE("an App may end while its tasks wait for all sorts of things, and the reactor serves the next one") {
  for (const Poller poller : both) {
    const auto reactor = make_reactor(poller);
    const pid_t child = run_child(7, 50ms);
    Pipe pipe;
    for (int turns = 0; turns < 6; ++turns) {
      auto app = std::make_unique<App>("app", errand::AppConfig{.reactor = reactor.get()});
      char byte[1];
      app->add_task(errand::read_some(pipe.out, byte));
      app->add_task(end_of(errand::readable(pipe.out)));
      app->add_task(end_of(errand::signal(SIGUSR1)));
      app->add_task(end_of(errand::exited(child)));
      app->add_task(end_of(errand::race(errand::readable(pipe.out), errand::writable(pipe.in))));
      app->add_task(end_of(errand::connect("127.0.0.1", 1)));
      for (int turn = 0; turn < turns; ++turn) {
        app->poll();
        reactor->wait(errand::Clock::now());
      }
      app.reset();
    }
    App app("next", {.reactor = reactor.get()});
    pipe.put("x");
    CHECK(app.run([](const Descriptor& from) -> Coro<std::size_t> {
      char byte[1];
      co_return co_await errand::read_some(from, byte);
    }(pipe.out)) == 1);
    CHECK(app.run([](pid_t pid) -> Coro<int> { co_return co_await errand::exited(pid); }(child)) == 7 << 8);
  }
}

POSIX_TEST("ten thousand descriptors that are idle") {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit raised{std::min<rlim_t>(limit.rlim_max, 10'100), limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  Pipe pipe;
  std::vector<Descriptor> idle;
  while (idle.size() < 10'000) {
    Descriptor one(::dup(pipe.out.get()));
    if (!one) break;
    idle.push_back(std::move(one));
  }
  int woken = 0;
  std::vector<Task<>> tasks;
  for (const Descriptor& one : idle) {
    tasks.push_back(add([](const Descriptor& fd, int& count) -> Coro<> {
      co_await errand::readable(fd);
      ++count;
    }(one, woken)));
  }
  co_await settle();
  CHECK(woken == 0);
  for (std::size_t i = 0; i < tasks.size(); i += 2) tasks[i].cancel();
  co_await settle();
  pipe.put("x");
  co_await errand::wait_all(tasks);
  CHECK(woken == static_cast<int>(tasks.size() / 2));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
