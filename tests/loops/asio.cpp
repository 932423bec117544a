// SPDX-License-Identifier: MIT
// Operations of Asio as awaitables: their results, their errors, their ends, and how a request reaches them.
#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "asio_names.hpp"

namespace {

// How many allocations are left until one fails; negative if none does. And how many blocks are there.
long allocations_left = -1;
std::atomic<long> blocks = 0;

}  // namespace

void* operator new(std::size_t size) {
  if (allocations_left >= 0 && allocations_left-- == 0) {
    allocations_left = -1;
    throw std::bad_alloc();
  }
  if (void* const memory = std::malloc(size)) {
    ++blocks;
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  if (memory) --blocks;
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace {

/// An operation that the test ends itself, by `complete`.
struct Source {
  std::function<void(ErrorCode, int)> complete;
  std::function<void()> on_ask;
  int asked = 0;
  bool may_suspend = true;
  bool fails_to_start = false;

  template <class Token>
  auto async_next(Token&& token) {
    return net::async_initiate<Token, void(ErrorCode, int)>(
        [this](auto handler) {
          if (fails_to_start) throw std::runtime_error("no start");
          if (!may_suspend) return std::move(handler)(ErrorCode(), 7);
          auto slot = net::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) {
            slot.assign([this](net::cancellation_type type) {
              check(type == net::cancellation_type::all, "all is emitted");
              ++asked;
              if (const auto call = on_ask) call();
            });
          }
          auto kept = std::make_shared<decltype(handler)>(std::move(handler));
          complete = [kept](ErrorCode error, int value) { std::move (*kept)(error, value); };
        },
        token);
  }
};

/// An operation with any signature that completes in the io_context, with these values.
template <class Signature, class Token, class... Values>
auto async_give(net::io_context& io, Token&& token, Values... values) {
  return net::async_initiate<Token, Signature>(
      [&io](auto handler, auto... given) {
        net::post(io, [handler = std::move(handler), given...]() mutable { std::move(handler)(std::move(given)...); });
      },
      token, std::move(values)...);
}

/// A composed operation: two short waits, and one of an hour.
struct Steps {
  net::steady_timer& timer;
  int step = 0;

  template <class Self>
  void operator()(Self& self, ErrorCode error = {}) {
    if (error || ++step == 4) return self.complete(error);
    timer.expires_after(step == 3 ? 1h : 1ms);
    timer.async_wait(std::move(self));
  }
};

/// Starts an operation, and asks the task that starts it to end.
struct Asks {
  Source& source;

  template <class Handler>
  void operator()(Handler handler) {
    errand::current_task().cancel();
    source.async_next(std::move(handler));
  }
};

errand::Coro<std::string> read(Socket& socket, std::size_t size) {
  std::string text(size, ' ');
  const std::size_t count = co_await net::async_read(socket, net::buffer(text), use_errand);
  co_return text.substr(0, count);
}

void write(Socket& socket, std::string_view text) { net::write(socket, net::buffer(text.data(), text.size())); }

/// Cancels the task in this turn, and waits for its end.
errand::Coro<> cancel(errand::Task<> task, std::string_view what) {
  co_await errand::yield();
  task.cancel("enough");
  const auto begun = errand::Clock::now();
  co_await errand::wait_all(task);
  check(task.cancelled() && errand::Clock::now() < begun + 1s, what);
}

errand::Coro<> results(World& world) {
  net::io_context& io = world.io;
  Pair pair(io);
  write(pair.there, "hello");
  check(co_await read(pair.here, 5) == "hello", "the result of a read");

  net::steady_timer timer(io, 1ms);
  static_assert(std::is_void_v<decltype(timer.async_wait(use_errand))::T>);
  co_await timer.async_wait(use_errand);
  co_await net::post(io, use_errand);
  co_await net::dispatch(io, use_errand);
  co_await net::defer(io, use_errand);
  co_await net::post(net::system_executor(), use_errand);  // on a thread of Asio's

  net::ip::tcp::acceptor acceptor(io, {net::ip::address_v4::loopback(), 0});
  net::ip::tcp::resolver resolver(io);
  const auto port = std::to_string(acceptor.local_endpoint().port());
  const auto found = co_await resolver.async_resolve("127.0.0.1", port, use_errand);
  net::ip::tcp::socket client(io);
  auto accepting = acceptor.async_accept(use_errand);
  auto connecting = net::async_connect(client, found, use_errand);
  auto [server, endpoint] = co_await errand::gather(std::move(accepting), std::move(connecting));
  check(endpoint == acceptor.local_endpoint() && server.remote_endpoint() == client.local_endpoint(),
        "the results of accept and connect");
  client.close();
  auto accepted = acceptor.async_accept(use_errand);
  co_await client.async_connect(acceptor.local_endpoint(), use_errand);
  server = co_await std::move(accepted);

  const std::string lines = "one\ntwo\n";
  check(co_await net::async_write(client, net::buffer(lines), use_errand) == 8, "the result of a write");
  std::string input;
  check(co_await net::async_read_until(server, net::dynamic_buffer(input), '\n', use_errand) == 4, "a read of a line");

  net::signal_set signals(io, SIGUSR1);
  world.app.call_soon([] { std::raise(SIGUSR1); });
  check(co_await signals.async_wait(use_errand) == SIGUSR1, "the result of a wait for a signal");

  auto [number, text] =
      co_await async_give<void(ErrorCode, int, std::string)>(io, use_errand, ErrorCode(), 3, std::string("x"));
  check(number == 3 && text == "x", "two results are a tuple");
  auto [letter, flag] = co_await async_give<void(char, bool)>(io, use_errand, 'a', true);
  check(letter == 'a' && flag, "two results without an error");
  check(co_await async_give<void(int)>(io, use_errand, 5) == 5, "a result without an error");
  co_await async_give<void(ErrorCode)>(io, use_errand, ErrorCode());
  check(co_await async_give<void(std::exception_ptr, int)>(io, use_errand, std::exception_ptr(), 5) == 5,
        "a result after a null pointer");
  auto moved =
      co_await async_give<void(ErrorCode, std::shared_ptr<int>)>(io, use_errand, ErrorCode(), std::make_shared<int>(1));
  check(moved.use_count() == 1, "a result is moved, not copied");

  Source source;
  source.may_suspend = false;
  check(co_await source.async_next(use_errand) == 7, "an operation that ends at once");

  auto once = source.async_next(use_errand);
  co_await std::move(once);
  bool is_refused = false;
  try {
    co_await std::move(once);  // NOLINT(bugprone-use-after-move)
  } catch (const errand::InvalidState&) {
    is_refused = true;
  }
  check(is_refused, "an operation is awaited once");

  errand::Coro<int> coro = source.async_next(use_errand);
  check(co_await std::move(coro) == 7, "an operation as a Coro");
}

errand::Coro<> errors(World& world) {
  net::io_context& io = world.io;
  Pair pair(io);
  pair.there.close();
  check(co_await error_of(read(pair.here, 1)) == net::error::eof, "the error of a read");
  net::ip::tcp::socket client(io);
  const auto nobody = [&] {
    return net::ip::tcp::acceptor(io, {net::ip::address_v4::loopback(), 0}).local_endpoint();
  }();
  check(co_await error_of(client.async_connect(nobody, use_errand)) == net::error::connection_refused,
        "the error of a connect");
  auto failing =
      async_give<void(std::exception_ptr)>(io, use_errand, std::make_exception_ptr(std::out_of_range("far")));
  std::string what;
  try {
    co_await std::move(failing);
  } catch (const std::out_of_range& error) {
    what = error.what();
  }
  check(what == "far", "an exception_ptr is thrown");

  Source source;
  source.fails_to_start = true;
  what.clear();
  try {
    co_await source.async_next(use_errand);
  } catch (const std::runtime_error& error) {
    what = error.what();
  }
  check(what == "no start", "the start of an operation throws");

  source.fails_to_start = false;
  world.app.call_soon([&] { source.complete = nullptr; });
  bool is_dropped = false;
  try {
    co_await source.async_next(use_errand);
  } catch (const errand::InvalidState&) {
    is_dropped = true;
  }
  check(is_dropped, "an operation whose handler is destroyed");
  const auto forgets = [](auto) {};
  is_dropped = false;
  try {
    co_await net::async_initiate<const errand::UseErrand&, void()>(forgets, use_errand);
  } catch (const errand::InvalidState&) {
    is_dropped = true;
  }
  check(is_dropped, "an operation whose start drops the handler");
}

/// A read's time-out leaves a write on the same socket alone.
errand::Coro<> one_operation(World& world) {
  Pair pair(world.io);
  const std::string data(30'000'000, 'x');
  auto writing = world.app.add_task([&]() -> errand::Coro<std::size_t> {
    co_return co_await net::async_write(pair.here, net::buffer(data), use_errand);
  });
  for (int round = 0; round < 3; ++round) {
    bool is_timed_out = false;
    try {
      co_await errand::wait_for(read(pair.here, 1), 5ms);
    } catch (const errand::TimeoutError&) {
      is_timed_out = true;
    }
    check(is_timed_out && !writing.done(), "a read is timed out, and a write goes on");
  }
  check(co_await read(pair.there, data.size()) == data && co_await writing == data.size(), "the write is whole");

  // Two reads from one socket: a request ends the one of its task.
  Socket& socket = pair.here;
  auto first = world.app.add_task(read(socket, 1));
  auto second = world.app.add_task(read(socket, 1));
  co_await cancel(first, "one of two reads is cancelled");
  write(pair.there, "z");
  check(co_await second == "z", "the other read goes on");
}

errand::Coro<> cancellation(World& world) {
  net::io_context& io = world.io;
  Pair pair(io);
  co_await cancel(world.app.add_task(read(pair.here, 2)), "a read of nothing is cancelled");
  write(pair.there, "1");
  co_await cancel(world.app.add_task(read(pair.here, 2)), "a read that has the first half is cancelled");
  write(pair.there, "1");
  auto reading = world.app.add_task(read(pair.here, 2));
  world.app.add_task([&] { net::post(io, [&] { world.app.post([] {}); }); });
  co_await cancel(reading, "a read between two steps is cancelled");
  write(pair.there, "still here");
  check(co_await read(pair.here, 10) == "still here", "the socket is as it was");

  net::steady_timer timer(io, 1h);
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> { co_await timer.async_wait(use_errand); }), "a timer");
  net::ip::tcp::acceptor acceptor(io, {net::ip::address_v4::loopback(), 0});
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> { co_await acceptor.async_accept(use_errand); }),
                  "an acceptor");
  net::signal_set signals(io, SIGUSR2);
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> { co_await signals.async_wait(use_errand); }),
                  "a signal set");
  std::string input;
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> {
    co_await net::async_read_until(pair.here, net::dynamic_buffer(input), '\n', use_errand);
  }),
                  "a read of a line");
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> {
    co_await net::async_compose<const errand::UseErrand&, void(ErrorCode)>(Steps{timer}, use_errand, timer);
  }),
                  "a composed operation");

  // A resolver's operation cannot be cancelled, and is waited for.
  net::ip::tcp::resolver resolver(io);
  auto resolving =
      world.app.add_task([&]() -> errand::Coro<> { co_await resolver.async_resolve("localhost", "1", use_errand); });
  co_await errand::yield();
  resolving.cancel();
  co_await errand::wait_all(resolving);
  check(resolving.done(), "a resolver's operation ends");
}

/// Requests in each state of an operation.
errand::Coro<> requests(World& world) {
  errand::App& app = world.app;
  Source source;
  const auto next = [&]() -> errand::Coro<int> { co_return co_await source.async_next(use_errand); };
  const auto aborted = [&] { source.complete(net::error::operation_aborted, 0); };

  auto task = app.add_task(next);
  co_await errand::yield();
  task.cancel();
  task.cancel();
  co_await errand::sleep(1ms);
  check(source.asked == 1 && !task.done(), "two requests in one turn emit once, and wait for the end");
  task.cancel();
  co_await errand::sleep(1ms);
  check(source.asked == 2 && !task.done(), "a later request emits again");
  aborted();
  co_await errand::wait_all(task);
  check(task.cancelled(), "an aborted operation is a cancelled task");

  source.asked = 0;
  source.on_ask = aborted;
  task = app.add_task(next);
  co_await cancel(task, "an operation that ends inside the emission");
  check(source.asked == 1, "it is asked once");

  source.on_ask = [&] {
    task.cancel();
    aborted();
  };
  task = app.add_task(next);
  co_await cancel(task, "a slot that cancels the task again");
  source.on_ask = [&] { throw std::runtime_error("from a slot"); };
  task = app.add_task(next);
  co_await errand::yield();
  task.cancel();
  co_await errand::sleep(1ms);
  check(!task.done(), "a slot that throws");
  aborted();
  co_await errand::wait_all(task);

  // A result that has come is given, also if the task was asked to end.
  source.on_ask = [&] { source.complete({}, 5); };
  int got = 0;
  bool is_thrown = false;
  const auto goes_on = [&]() -> errand::Coro<> {
    got = co_await source.async_next(use_errand);
    try {
      co_await errand::sleep(1h);
    } catch (const errand::Cancelled&) {
      is_thrown = true;
      throw;
    }
  };
  co_await cancel(app.add_task(goes_on), "an operation that completes all the same");
  check(got == 5 && is_thrown, "its result is given, and the next await throws");

  // Any error code is the end that was asked for. Another exception comes out, and the request stays pending.
  source.on_ask = [&] { source.complete(net::error::eof, 0); };
  co_await cancel(app.add_task(next), "an operation that fails when it is asked");
  bool is_out_of_range = false;
  const auto catches = [&]() -> errand::Coro<> {
    try {
      co_await net::co_spawn(
          world.io,
          [&]() -> net::awaitable<void> {
            net::steady_timer timer(world.io, 1h);
            ErrorCode ended;
            co_await timer.async_wait(net::redirect_error(net::use_awaitable, ended));
            throw std::out_of_range("from a clean-up");
          },
          use_errand);
    } catch (const std::out_of_range&) {
      is_out_of_range = true;
    }
    co_await errand::sleep(1h);
  };
  co_await cancel(app.add_task(catches), "an operation that throws when it is asked");
  check(is_out_of_range, "the exception comes out");

  // An operation that was aborted by somebody else.
  source.on_ask = nullptr;
  app.call_soon(aborted);
  check(co_await error_of(source.async_next(use_errand)) == net::error::operation_aborted, "nobody has asked the task");

  // A request that was taken back in the same turn.
  source.asked = 0;
  task = app.add_task(next);
  co_await errand::yield();
  task.cancel();
  task.uncancel();
  co_await errand::sleep(1ms);
  check(source.asked == 0, "a request that is taken back is not emitted");
  source.complete({}, 9);
  check(co_await task == 9, "the operation was left alone");

  // A request before the operation.
  source.complete = nullptr;
  const auto asked_before = [&]() -> errand::Coro<> {
    errand::current_task().cancel();
    co_await source.async_next(use_errand);
  };
  task = {};
  auto before = app.add_task(asked_before);
  co_await errand::wait_all(before);
  check(before.cancelled() && !source.complete, "an operation is not started if the task was asked before");

  // A request from inside the start.
  source.on_ask = aborted;
  auto inside = app.add_task([&]() -> errand::Coro<> {
    co_await net::async_initiate<const errand::UseErrand&, void(ErrorCode, int)>(Asks{source}, use_errand);
  });
  co_await errand::wait_all(inside);
  check(inside.cancelled(), "a task that is asked while its operation starts");

  // abort and destruction emit at once, and do not wait.
  source.on_ask = nullptr;
  source.asked = 0;
  auto going = app.add_task(next);
  co_await errand::yield();
  going.abort();
  check(source.asked == 1 && going.done(), "abort emits, and does not wait");
  aborted();
  source.on_ask = aborted;
  going = app.add_task(next);
  co_await errand::yield();
  going.abort();
  check(source.asked == 2, "an operation that ends inside the emission of an abort");
  source.on_ask = [&] { app.purge_tasks(); };
  going = app.add_task(next);
  co_await errand::yield();
  going.cancel();
  going.abort();
  check(source.asked == 3, "an abort right after a cancel emits once");
  source.on_ask = [&] {
    source.on_ask = nullptr;
    going.abort();
    source.complete = nullptr;
  };
  going = app.add_task(next);
  co_await errand::yield();
  going.cancel();
  co_await errand::wait_all(going);
  check(source.asked == 4, "a slot that aborts the task, and drops the handler");
}

errand::Coro<> combinators(World& world) {
  Pair pair(world.io);
  std::array<char, 8> buffer{};
  Source source;
  source.on_ask = [&] { source.complete(net::error::operation_aborted, 0); };

  auto race = co_await errand::race(source.async_next(use_errand), errand::sleep(1ms));
  check(race.index() == 1 && source.asked == 1, "a race that a sleep wins");
  write(pair.there, "abc");
  auto read_first =
      co_await errand::race(pair.here.async_read_some(net::buffer(buffer), use_errand), source.async_next(use_errand));
  check(read_first.index() == 0 && std::get<0>(read_first.value()) == 3 && source.asked == 2,
        "a race that a read wins");
  check(!co_await errand::move_on_after(source.async_next(use_errand), 1ms), "move_on_after");
  const auto outcome =
      co_await errand::settled(async_give<void(ErrorCode, int)>(world.io, use_errand, ErrorCode(net::error::eof), 1));
  check(outcome.failed(), "settled");
  source.asked = 0;
  bool has_failed = false;
  try {
    co_await errand::gather(source.async_next(use_errand),
                            async_give<void(ErrorCode)>(world.io, use_errand, ErrorCode(net::error::eof)));
  } catch (const SystemError&) {
    has_failed = true;
  }
  check(has_failed && source.asked == 1, "a gather that fails asks the others");

  // A raced operation that is decided while it is only looked at.
  errand::Event set;
  set.set();
  source.complete = nullptr;
  auto decided = co_await errand::race(source.async_next(use_errand), set.wait());
  check(decided.index() == 1 && !source.complete, "an operation does not start in a race that is decided");
}

constexpr auto as_tuple_of = [](auto token) {
#if defined(STANDALONE_ASIO) && ASIO_VERSION < 102300
  return net::experimental::as_tuple(token);
#else
  return net::as_tuple(token);
#endif
};

errand::Coro<> adapters(World& world) {
  net::io_context& io = world.io;
  Pair pair(io);
  std::array<char, 8> buffer{};
  ErrorCode code;
  Source source;
  write(pair.there, "abc");
  auto [error, count] = co_await pair.here.async_read_some(net::buffer(buffer), as_tuple_of(use_errand));
  check(!error && count == 3, "as_tuple");
  source.on_ask = [&] { source.complete(net::error::operation_aborted, 0); };
  auto as_tuple_cancelled =
      world.app.add_task([&]() -> errand::Coro<> { co_await source.async_next(as_tuple_of(use_errand)); });
  co_await cancel(as_tuple_cancelled, "as_tuple, cancelled");

  check(co_await async_give<void(ErrorCode, int)>(io, net::redirect_error(use_errand, code), ErrorCode(net::error::eof),
                                                  4) == 4 &&
            code == net::error::eof,
        "redirect_error");
  const auto strand = net::make_strand(io);
  write(pair.there, "abcd");
  check(co_await pair.here.async_read_some(net::buffer(buffer), net::bind_executor(strand, use_errand)) == 4,
        "bind_executor");
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> {
    co_await pair.here.async_read_some(net::buffer(buffer), net::bind_executor(strand, use_errand));
  }),
                  "bind_executor, cancelled");

  net::cancellation_signal signal;
  world.app.call_later(1ms, [&] { signal.emit(net::cancellation_type::all); });
  auto own_slot =
      pair.here.async_read_some(net::buffer(buffer), net::bind_cancellation_slot(signal.slot(), use_errand));
  check(co_await error_of(std::move(own_slot)) == net::error::operation_aborted, "bind_cancellation_slot");
#if (defined(STANDALONE_ASIO) && ASIO_VERSION >= 103400) || (!defined(STANDALONE_ASIO) && BOOST_ASIO_VERSION >= 103400)
  auto timed = pair.here.async_read_some(net::buffer(buffer), net::cancel_after(1ms, use_errand));
  check(co_await error_of(std::move(timed)) == net::error::operation_aborted, "cancel_after");
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> {
    co_await pair.here.async_read_some(net::buffer(buffer), net::cancel_after(1h, use_errand));
  }),
                  "cancel_after, cancelled");
#endif
  // A coroutine of Asio, which is cancelled with the task.
  net::steady_timer timer(io, 1h);
  const auto theirs = [&]() -> net::awaitable<int> {
    co_await timer.async_wait(net::use_awaitable);
    co_return 1;
  };
  co_await cancel(world.app.add_task([&]() -> errand::Coro<> { co_await net::co_spawn(io, theirs, use_errand); }),
                  "co_spawn");
}

errand::Coro<> threads(World& world) {
  net::thread_pool pool(2);
  for (int round = 0; round < 100; ++round) {
    std::vector<errand::Task<>> tasks;
    for (int each = 0; each < 10; ++each) {
      tasks.push_back(world.app.add_task([&]() -> errand::Coro<> { co_await net::post(pool, use_errand); }));
    }
    co_await errand::yield();
    tasks[3].cancel();
    tasks[4].abort();
    co_await errand::wait_all(tasks);
  }
  pool.join();

  // An io_context that another thread runs.
  net::io_context io;
  const auto working = net::make_work_guard(io);
  std::thread runner([&] { io.run(); });
  {
    Pair pair(io);
    auto writing = world.app.add_task([&]() -> errand::Coro<> {
      for (int count = 0; count < 1000; ++count) {
        co_await net::async_write(pair.there, net::buffer("x", 1), use_errand);
      }
    });
    check(co_await read(pair.here, 1000) == std::string(1000, 'x'), "operations on another thread");
    co_await writing;
  }
  io.stop();
  runner.join();

  // Other threads wake the reactor.
  std::atomic<bool> is_over = false;
  int posted = 0;
  std::thread poster([&] {
    for (int count = 0; count < 1000; ++count) world.app.post([&] { ++posted; });
    is_over = true;
  });
  while (!is_over || posted < 1000) co_await errand::sleep(1ms);
  poster.join();
}

/// A reactor does not starve the App's tasks, though handlers make handlers ready without end.
errand::Coro<> endless_handlers(World& world) {
  bool is_over = false;
  std::function<void()> again = [&] {
    if (!is_over) net::post(world.io, again);
  };
  again();
  for (int turn = 0; turn < 10; ++turn) co_await errand::yield();
  co_await errand::sleep(1ms);
  is_over = true;
  co_await errand::sleep(1ms);
}

// Tear-down

/// Several tasks with operations of all kinds.
struct Busy {
  explicit Busy(net::io_context& its_io)
      : io(its_io), pair(io), timer(io), acceptor(io, {net::ip::address_v4::loopback(), 0}) {}

  errand::Coro<> talk() {
    std::array<char, 4> buffer{};
    for (int round = 0;; ++round) {
      co_await net::async_write(pair.there, net::buffer("ping", 4), use_errand);
      co_await net::async_read(pair.here, net::buffer(buffer), use_errand);
      if (round == 2) co_await pair.here.async_read_some(net::buffer(buffer), use_errand);
    }
  }
  errand::Coro<> wait() {
    for (;;) {
      timer.expires_after(0ms);
      co_await timer.async_wait(use_errand);
      co_await errand::race(acceptor.async_accept(use_errand), net::post(io, use_errand));
      co_await errand::move_on_after(pair.there.async_read_some(net::buffer(there), use_errand), 0ms);
    }
  }
  errand::Coro<> clean_up() {
    const auto body = [&]() -> errand::Coro<> { co_await acceptor.async_accept(use_errand); };
    const auto cleanup = [&]() -> errand::Coro<> { co_await net::post(io, use_errand); };
    co_await errand::finally(body, cleanup);
  }
  void add_to(errand::App& app) {
    app.add_task(talk());
    app.add_task(wait());
    app.add_task(clean_up());
  }

  net::io_context& io;
  Pair pair;
  net::steady_timer timer;
  net::ip::tcp::acceptor acceptor;
  std::array<char, 4> there{};
};

/// Wakes nobody: the test polls.
struct NoReactor : errand::Reactor {
  void wait(std::optional<errand::Clock::time_point>) override {}
  void wake() noexcept override {}
};

enum class Ends { app_first, io_first, asked, aborted };

void tear_down(int steps, Ends how) {
  auto io = std::make_unique<net::io_context>(1);
  auto busy = std::make_unique<Busy>(*io);
  NoReactor reactor;
  auto app = std::make_unique<errand::App>("torn", errand::AppConfig{.reactor = &reactor, .graceful_timeout = 10ms});
  busy->add_to(*app);
  for (int step = 0; step < steps; ++step) {
    if (step % 2 == 0) {
      app->poll();
    } else {
      io->restart();
      io->poll_one();
    }
  }
  switch (how) {
    case Ends::app_first: app.reset(); break;
    case Ends::io_first:
      busy.reset();  // with its sockets, which must go before the io_context
      io.reset();
      app.reset();
      break;
    case Ends::asked:
      app->stop();
      while (app->poll()) {
        io->restart();
        io->poll();
      }
      break;
    case Ends::aborted:
      for (const auto& task : app->all_tasks()) errand::Task<>(task).abort();
      io->restart();
      io->poll();
      break;
  }
}

void tear_downs() {
  for (const Ends how : {Ends::app_first, Ends::asked, Ends::aborted, Ends::io_first}) {
    for (int steps = 0; steps < 60; ++steps) tear_down(steps, how);
  }
}

/// An io_context that is destroyed while tasks of an App wait for it, which goes on.
void io_context_goes() {
  errand::App app("left");
  auto io = std::make_unique<net::io_context>();
  bool is_told = false;
  auto timer = std::make_unique<net::steady_timer>(*io, 1h);
  app.add_task([&]() -> errand::Coro<> {
    try {
      co_await timer->async_wait(use_errand);
    } catch (const errand::InvalidState&) {
      is_told = true;
    }
  });
  for (int turn = 0; turn < 10; ++turn) app.poll();
  timer.reset();
  io.reset();
  while (app.poll()) continue;
  check(is_told, "an io_context is destroyed");
}

/// An App without a reactor, and an io_context that another thread runs.
void another_thread() {
  net::io_context io;
  const auto working = net::make_work_guard(io);
  std::thread runner([&] { io.run(); });
  {
    net::steady_timer timer(io, 1h);
    errand::App app("main");
    const auto main = [&]() -> errand::Coro<> {
      timer.expires_after(1ms);
      co_await timer.async_wait(use_errand);
      timer.expires_after(1h);
      check(!co_await errand::move_on_after(timer.async_wait(use_errand), 1ms), "a time-out of a single operation");
      co_await net::post(io, use_errand);
      auto waiting = app.add_task([&]() -> errand::Coro<> { co_await timer.async_wait(use_errand); });
      co_await errand::yield();
      waiting.abort();
      co_await net::post(io, use_errand);  // until the handler has run
    };
    app.run(main());
  }
  io.stop();
  runner.join();
}

/// An App that is polled inside an io_context.
void hosted() {
  net::io_context io;
  struct Guest : errand::Reactor {
    explicit Guest(net::io_context& its_io) : io(its_io), timer(io), working(net::make_work_guard(io)) {}
    void wait(std::optional<errand::Clock::time_point>) override {}
    void wake() noexcept override {
      net::post(io, [this] { turn(); });
    }
    void turn() {
      if (!app.poll()) return working.reset(), void(timer.cancel());
      if (const auto next = app.next_deadline()) {
        timer.expires_at(*next);
        timer.async_wait([this](ErrorCode error) {
          if (!error) turn();
        });
      }
    }
    net::io_context& io;
    net::steady_timer timer;
    net::executor_work_guard<net::io_context::executor_type> working;
    errand::App app{"guest", {.reactor = this}};
  } guest(io);
  Pair pair(io);
  bool is_timed_out = false;
  std::string text;
  guest.app.add_task([&]() -> errand::Coro<> {
    co_await net::dispatch(io, use_errand);
    try {
      co_await errand::wait_for(read(pair.here, 1), 2ms);
    } catch (const errand::TimeoutError&) {
      is_timed_out = true;
    }
    co_await net::async_write(pair.there, net::buffer("hosted", 6), use_errand);
    text = co_await read(pair.here, 6);
  });
  net::post(io, [&] { guest.turn(); });
  io.run_for(10s);
  check(is_timed_out && text == "hosted", "an App that is polled inside an io_context");
}

/// Each allocation fails once. Nothing is lost, and nothing hangs.
void failing_allocations() {
  const auto once = [](long fails_at) {
    World world;
    Pair pair(world.io);
    std::array<char, 4> buffer{};
    const auto main = [&]() -> errand::Coro<> {
      allocations_left = fails_at;
      co_await net::async_write(pair.there, net::buffer("ping", 4), use_errand);
      co_await net::async_read(pair.here, net::buffer(buffer), use_errand);
      co_await errand::move_on_after(pair.here.async_read_some(net::buffer(buffer), use_errand), 1ms);
      co_await errand::move_on_after(read(pair.here, 1), 1ms);
    };
    bool has_failed = false;
    try {
      world.app.run(main());
    } catch (const std::bad_alloc&) {
      has_failed = true;
    } catch (const errand::InvalidState&) {  // Asio has dropped the operation
      has_failed = true;
    } catch (const errand::TaskCancelled&) {  // a handler has thrown
      has_failed = true;
    }
    return has_failed || std::exchange(allocations_left, -1) < 0;
  };
  once(-1);
  long fails_at = 0;
  for (; fails_at < 500; ++fails_at) {
    const long before = blocks;
    const bool was_reached = once(fails_at);
    if (!was_reached) break;
    check(blocks <= before + 8, "no memory is lost");
  }
  check(fails_at >= 3 && fails_at < 500, "allocations fail");
}

/// The reactor deals with input before the time of a ManualClock moves.
void manual_clock() {
  net::io_context io;
  errand::AsioReactor reactor(io);
  errand::ManualClock clock;
  errand::App app("manual", {.clock = &clock, .reactor = &reactor});
  const auto main = [&]() -> errand::Coro<> {
    co_await errand::sleep(1000h);
    Pair pair(io);
    write(pair.there, "x");
    check(co_await errand::wait_for(read(pair.here, 1), 1ns) == "x", "input comes before time");
    co_await errand::sleep(1000h);
  };
  const auto begun = errand::Clock::now();
  app.run(main());
  check(errand::Clock::now() < begun + 5s, "a ManualClock does not sleep");
}

}  // namespace

int main() {
  const auto run = [](std::string_view name, errand::Coro<> (*test)(World&)) {
    World world;
    world.run(name, test);
  };
  run("results", results);
  run("errors", errors);
  run("one operation", one_operation);
  run("cancellation", cancellation);
  run("requests", requests);
  run("combinators", combinators);
  run("adapters", adapters);
  run("threads", threads);
  run("endless handlers", endless_handlers);
  tear_downs();
  io_context_goes();
  another_thread();
  hosted();
  failing_allocations();
  manual_clock();
  if (failures == 0) std::cout << "operations of Asio end with their tasks" << std::endl;
  return failures;
}
