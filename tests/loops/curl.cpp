// SPDX-License-Identifier: MIT
// Tests of examples/curl.hpp, with the server of tests/loops/crawl_server.py, whose address is the argument.
// tests/loops/crawl.py runs them.
#include "../../examples/curl.hpp"

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <errand/posix.hpp>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using errand::Clock;
using errand::Coro;

/// Stands in front of the system's: the name "slow.invalid" takes a second to be looked up.
extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
  if (host && std::strcmp(host, "slow.invalid") == 0) {
    std::this_thread::sleep_for(1s);
    return EAI_NONAME;
  }
  static const auto real = reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(host, port, hints, found);
}

namespace {

std::string server;

void expect(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  std::cerr << "tests/loops/curl.cpp:" << line << " is not as expected\n";
  std::exit(1);
}

void expect(const std::string& text, std::string_view wanted, int line = __builtin_LINE()) {
  if (text != wanted) std::cerr << text << '\n';
  expect(text == wanted, line);
}

Coro<std::string> failure_of(Coro<curl::Response> fetch) {
  const auto outcome = co_await errand::settled(std::move(fetch));
  expect(outcome.failed());
  co_return outcome.what();
}

Coro<> responses_have_all_that_was_sent(curl::Reactor& curl) {
  const auto fast = co_await curl.fetch(server + "/fast/0");
  expect(fast.status == 200 && fast.address == server + "/fast/0" && fast.body == std::string(100, 'x'));
  const auto missing = co_await curl.fetch(server + "/missing/0");
  expect(missing.status == 404 && missing.body.size() == 100 && missing.type.empty());
  const auto moved = co_await curl.fetch(server + "/redirect/0");
  expect(moved.status == 200 && moved.address == server + "/fast/0");
  const auto large = co_await curl.fetch(server + "/large/0");
  expect(large.body.size() == 30'000'000);
}

Coro<> errors_name_the_address(curl::Reactor& curl) {
  const std::string refused = co_await failure_of(curl.fetch("http://127.0.0.1:1/a"));
  expect(refused.starts_with("http://127.0.0.1:1/a: ") && refused.find("Couldn't connect") != std::string::npos);
  const std::string cut = co_await failure_of(curl.fetch(server + "/cut/0"));
  expect(cut, server + "/cut/0: transfer closed with 1000 bytes remaining to read");
  const std::string silent = co_await failure_of(errand::wait_for(curl.fetch(server + "/silent/0"), 20ms));
  expect(silent, "timed out");
  const std::string file = co_await failure_of(curl.fetch("file:///etc/passwd"));
  expect(file.starts_with("file:///etc/passwd: Protocol \"file\""));
  const std::string null = co_await failure_of(curl.fetch(std::string("a\0b", 3)));
  expect(null, "a: URL using bad/illegal format or missing URL");
  const std::string too_large = co_await failure_of(curl.fetch(server + "/some/0", 299'999));
  expect(too_large, server + "/some/0: Maximum file size exceeded");
  const auto just_fits = co_await curl.fetch(server + "/some/0", 300'000);
  expect(just_fits.body.size() == 300'000);
  const std::string none = co_await failure_of(curl.perform(nullptr));
  expect(none.starts_with("the start of a transfer: "));
}

Coro<> a_request_takes_all_options(curl::Reactor& curl) {
  // [request]
  curl::Request request = curl::get(server + "/missing/1");
  curl_easy_setopt(request.get(), CURLOPT_USERAGENT, "crawler/1.0");
  curl_easy_setopt(request.get(), CURLOPT_FAILONERROR, 1L);
  // [request]
  const std::string failure = co_await failure_of(curl.perform(std::move(request)));
  expect(failure, server + "/missing/1: The requested URL returned error: 404");
}

Coro<> a_slow_lookup_holds_nothing_up(curl::Reactor& curl) {
  const auto begin = Clock::now();
  const std::string late = co_await failure_of(errand::wait_for(curl.fetch("http://slow.invalid/"), 50ms));
  expect(late, "timed out");
  expect(Clock::now() - begin < 500ms);
  const std::string unknown = co_await failure_of(curl.fetch("http://slow.invalid/"));
  expect(unknown, "http://slow.invalid/: Could not resolve host: slow.invalid");
}

struct Counted : curl::Reactor {
  void wait(std::optional<Clock::time_point> until) override {
    ++waits;
    curl::Reactor::wait(until);
  }
  int waits = 0;
};

Coro<> it_sleeps_if_there_is_nothing_to_do(Counted& curl) {
  curl.waits = 0;
  co_await errand::sleep(300ms);
  expect(curl.waits < 10);
  curl.waits = 0;
  co_await errand::move_on_after(curl.fetch(server + "/silent/1"), 300ms);
  expect(curl.waits < 20);
}

/// A task that never sleeps does not keep a transfer from going on.
Coro<> busy_tasks_do_not_starve_transfers(curl::Reactor& curl) {
  const auto busy = []() -> Coro<> {
    while (true) co_await errand::yield();
  };
  const auto done = co_await errand::race(curl.fetch(server + "/some/1"), busy());
  expect(done.index() == 0);
}

Coro<> other_threads_wake_it(errand::App& app) {
  for (int round = 0; round < 20; ++round) {
    auto wake = errand::Future<Clock::time_point>::shared();
    std::thread thread([&app, wake] {
      std::this_thread::sleep_for(5ms);
      app.post([wake, now = Clock::now()] { wake.set_result(now); });
    });
    const Clock::time_point posted = co_await wake;
    thread.join();
    expect(Clock::now() - posted < 500ms);
  }
}

// [input]
/// Sets an event when there is something to read.
class WithInput : public curl::Reactor {
 public:
  explicit WithInput(int descriptor) : descriptor_(descriptor) {}

  errand::Event has_input;  // clear it, and then read

 private:
  void wait(std::optional<errand::Clock::time_point> until) override {
    curl_waitfd input{descriptor_, CURL_WAIT_POLLIN, 0};
    work(time_left(until), {&input, has_input.is_set() ? 0U : 1U});
    if (input.revents != 0) has_input.set();
  }

  const int descriptor_;
};
// [input]

Coro<> read_beside_transfers(WithInput& reactor, errand::App& app, int pipe) {
  int bytes = 0;
  const auto read = [&]() -> Coro<> {
    for (char byte; true; ++bytes) {
      co_await reactor.has_input.wait();
      reactor.has_input.clear();
      if (::read(pipe, &byte, 1) == 0) co_return;
    }
  };
  const auto before = app.stats();
  co_await errand::race(read(), reactor.fetch(server + "/silent/4"));
  expect(bytes == 3);
  expect(app.stats().turns - before.turns < 40);
}

void descriptors_beside_transfers() {
  int pipe[2];
  expect(::pipe(pipe) == 0);
  std::thread writer([&] {
    for (int i = 0; i < 3; ++i) {
      std::this_thread::sleep_for(30ms);
      expect(::write(pipe[1], "x", 1) == 1);
    }
    ::close(pipe[1]);
  });
  WithInput reactor(pipe[0]);
  errand::App app("test", {.reactor = &reactor});
  app.run(read_beside_transfers(reactor, app, pipe[0]));
  writer.join();
  ::close(pipe[0]);
}

void an_app_without_it() {
  curl::Reactor curl;
  errand::App app("test");
  bool was_told = false;
  try {
    app.run(curl.fetch(server + "/fast/3"));
  } catch (const errand::Deadlock&) {
    was_told = true;
  }
  expect(was_told);
}

// [fetcher]
/// Fetches for tasks of other Apps, in an App on a thread of its own.
class Fetcher {
 public:
  ~Fetcher() {
    app_.stop();
    thread_.join();
  }

  Coro<curl::Response> fetch(std::string address) {
    const auto response = errand::Future<curl::Response>::shared();
    app_.post([this, address, setter = response.setter()] { app_.add_task(answer(address, setter)); });
    co_return co_await response;
  }

 private:
  using Setter = errand::Future<curl::Response>::Setter;

  Coro<> answer(std::string address, Setter setter) {
    const auto outcome = co_await errand::settled(errand::wait_for(curl_.fetch(address), 30s));
    if (outcome.failed()) {
      setter.set_exception(outcome.exception());
    } else {
      setter.set_result(outcome.value());
    }
  }

  curl::Reactor curl_;
  errand::App app_{"fetcher", {.reactor = &curl_}};
  errand::KeepAlive stays_ = app_.keep_alive();
  std::thread thread_{[this] { app_.run(); }};
};
// [fetcher]

Coro<> fetch_and_read(Fetcher& fetcher, errand::Descriptor pipe) {
  char bytes[10];
  const auto read = [&]() -> Coro<> { co_await errand::read_some(pipe, bytes); };
  const auto both = co_await errand::race(fetcher.fetch(server + "/silent/5"), read());
  expect(both.index() == 1 && bytes[0] == 'x');
  const auto page = co_await fetcher.fetch(server + "/redirect/3");
  expect(page.status == 200 && page.address == server + "/fast/3");
  const std::string failure = co_await failure_of(fetcher.fetch("file:///etc/passwd"));
  expect(failure.starts_with("file:///etc/passwd: "));
}

void another_app_beside_posix() {
  int pipe[2];
  expect(::pipe(pipe) == 0);
  expect(::write(pipe[1], "x", 1) == 1);
  Fetcher fetcher;
  errand::PosixReactor reactor;
  errand::App app("test", {.reactor = &reactor});
  app.run(fetch_and_read(fetcher, errand::Descriptor(pipe[0])));
  ::close(pipe[1]);
}

Coro<> run(Counted& curl, errand::App& app) {
  co_await responses_have_all_that_was_sent(curl);
  co_await errors_name_the_address(curl);
  co_await a_request_takes_all_options(curl);
  co_await a_slow_lookup_holds_nothing_up(curl);
  co_await it_sleeps_if_there_is_nothing_to_do(curl);
  co_await busy_tasks_do_not_starve_transfers(curl);
  co_await other_threads_wake_it(app);
}

// What can happen to transfers, after each turn.

Coro<> fetch_all(curl::Reactor& curl, int& ended) {
  const auto fetch = [&](const char* path) -> Coro<> {
    co_await errand::settled(errand::wait_for(curl.fetch(server + path), 10ms));
    ++ended;
  };
  const auto paths = {"/fast/1", "/silent/2", "/redirect/1", "/cut/1", "/reset/1", "/some/2", "/drip/1", "/circle/1"};
  co_await errand::gather(paths, fetch, 6);
  co_await errand::race(curl.fetch(server + "/slow/1"), curl.fetch(server + "/fast/2"),
                        curl.fetch(server + "/silent/3"));
  ++ended;
}

/// Runs the App for a number of turns. Between them it sleeps until something happens, or not at all. Returns false if
/// the App has ended before.
bool make_turns(errand::App& app, curl::Reactor& curl, int count, bool sleeps) {
  for (; count > 0; --count) {
    if (!app.poll()) return false;
    curl.work(sleeps ? 10ms : 0ms);
  }
  return true;
}

using End = void (*)(errand::Task<>& task);

/// Ends the task in this way, or destroys the App, after each number of turns, until the task ends by itself before
/// that. If it does not sleep, there are too many turns to try all.
void end_after_each_turn(const char* name, End end, bool sleeps) {
  int tried = 0;
  bool is_over = false;
  for (int turns = 0; !is_over; turns += sleeps ? 1 : 1 + turns / 4, ++tried) {
    int ended = 0;
    curl::Reactor curl;
    {
      errand::App app("test", {.reactor = &curl});
      errand::Task<> task = app.add_task(fetch_all(curl, ended));
      is_over = !make_turns(app, curl, turns, sleeps);
      if (is_over) {
        expect(task.status() == errand::TaskStatus::succeeded && ended == 9);
      } else if (end) {
        end(task);
        while (app.poll()) curl.work(10ms);
        expect(task.done());
      }
    }
    curl.work(0ms);  // nothing is left in libcurl that it would tell the App
  }
  std::cout << name << " after each of " << tried << (sleeps ? " turns\n" : " numbers of turns\n");
}

}  // namespace

int main(int, char** argv) {
  server = argv[1];
  {
    Counted curl;
    errand::App app("test", {.reactor = &curl});
    app.run(run(curl, app));
  }
  descriptors_beside_transfers();
  another_app_beside_posix();
  an_app_without_it();
  for (const bool sleeps : {true, false}) {
    end_after_each_turn("destroyed", nullptr, sleeps);
    end_after_each_turn("cancelled", [](errand::Task<>& task) { task.cancel("enough"); }, sleeps);
    end_after_each_turn("aborted", [](errand::Task<>& task) { task.abort("enough"); }, sleeps);
  }
}
