// SPDX-License-Identifier: MIT
// Tests of thread calls whose task is asked to end, is aborted, or is destroyed with its App. The objects that a call
// uses must stay until the call returns.
#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "real_fixture.hpp"

using errand::abandon;
using errand::AsyncGenerator;
using errand::to_thread;

namespace {

enum class Place { here, gather, race, member, group_in_a_branch, generator, clean_up };
constexpr Place all_places[] = {Place::here,      Place::gather,  Place::race, Place::member, Place::group_in_a_branch,
                                Place::generator, Place::clean_up};

#ifdef __cpp_lib_jthread
constexpr bool has_tokens = true;
#else
constexpr bool has_tokens = false;
#endif

/// A thread call that uses a local variable of the frame that makes the call, until the call is asked to stop, and a
/// bit longer.
class Call {
 public:
  explicit Call(std::chrono::milliseconds most = has_tokens ? 10s : 100ms, bool heeds_token = true)
      : most_(most), heeds_token_(heeds_token) {}
  /// In a clean-up the call is not asked to stop, so it ends by itself after 100 ms.
  explicit Call(Place place) : Call(place == Place::clean_up || !has_tokens ? 100ms : 10s) {}

  /// Makes the call. If the library is right, the frame lasts as long as the call.
  Coro<int> use() {
    const Local local(*this);
    const auto f = [this, &local](auto token) {
      begun = true;
      const auto is_asked = [&] {
        if constexpr (requires { token.stop_requested(); }) return heeds_token_ && token.stop_requested();
        return false;
      };
      for (auto time = 0ms; time < most_ && !is_asked(); time += 1ms) std::this_thread::sleep_for(1ms);
      std::this_thread::sleep_for(3ms);
      was_gone = was_gone || frames_gone > 0;
      returned = true;
      return local.number;
    };
    co_return co_await to_thread(f);
  }
  Coro<> until_begun() const {
    while (!begun) co_await errand::sleep(1ms);
  }

  std::atomic<bool> begun = false, returned = false, was_gone = false;
  std::atomic<int> frames_gone = 0;

 private:
  struct Local {
    explicit Local(Call& its_call) : call(its_call) {}
    Local(const Local&) = delete;
    ~Local() { ++call.frames_gone; }
    Call& call;
    const int number = 7;
  };

  const std::chrono::milliseconds most_;
  const bool heeds_token_;
};

Coro<> long_sleep() { co_await errand::sleep(1h); }

/// Makes the call at `place`, with sleeps beside it and after it, which would last longer than the call.
Coro<> call_at(Place place, Call& call) {
  const auto body = [&call](errand::TaskGroup& group) -> Coro<> {
    group.add([&call]() -> Coro<> { co_await call.use(); });
    group.add(long_sleep());
    co_return;
  };
  const auto generate = [](Call& its_call) -> AsyncGenerator<int> { co_yield co_await its_call.use(); };
  const auto cleans = [&call]() -> Coro<> { co_await call.use(); };
  switch (place) {
    case Place::here: co_await call.use(); break;
    case Place::gather: co_await errand::gather(long_sleep(), call.use(), long_sleep()); break;
    case Place::race: co_await errand::race(long_sleep(), call.use()); break;
    case Place::member: co_await errand::TaskGroup::run(body); break;
    case Place::group_in_a_branch: co_await errand::gather(errand::TaskGroup::run(body), long_sleep()); break;
    case Place::generator: {
      auto generator = generate(call);
      co_await generator.next();
      break;
    }
    case Place::clean_up: co_await errand::finally([]() -> Coro<> { co_return; }, cleans); break;
  }
  co_await errand::sleep(1h);
}

std::string reason_of(const Task<>& cancelled) {
  try {
    cancelled.result();
  } catch (const TaskCancelled& error) {
    return error.reason();
  }
  return "none";
}

void check(const Call& call) {
  CHECK(call.returned);
  CHECK_FALSE(call.was_gone);
  CHECK(call.frames_gone == 1);
}

/// Throws at its first wait after the call has begun.
class FailingReactor : public errand::Reactor {
 public:
  explicit FailingReactor(const Call& call) : call_(call) {}
  void wait(std::optional<errand::Clock::time_point>) override {
    if (call_.begun) throw runtime_error("reactor");
    std::this_thread::sleep_for(1ms);
  }
  void wake() noexcept override {}

 private:
  const Call& call_;
};

}  // namespace

REAL_APP_TEST("what a thread call uses stays until it returns: its task is asked to end") {
  for (const Place place : all_places) {
    Call call(place);
    auto task = app.add_task(call_at(place, call));
    co_await call.until_begun();
    task.cancel("asked");
    CHECK_FALSE(task.done());
    co_await errand::wait_all(task);
    CHECK(reason_of(task) == "asked");
    check(call);
  }
  CHECK(reports.empty());
}

REAL_APP_TEST("what a thread call uses stays until it returns: a time-out") {
  for (const Place place : all_places) {
    Call call(place);
    bool timed_out = false;
    try {
      co_await errand::wait_for(call_at(place, call), 200ms);
    } catch (const TimeoutError&) {
      timed_out = true;
    }
    CHECK(timed_out);
    check(call);
  }
}

REAL_APP_TEST("what a thread call uses stays until it returns: an abort, which says cancelled at once") {
  for (const Place place : all_places) {
    Call call(place);
    auto task = app.add_task(call_at(place, call));
    bool called_back = false;
    task.add_done_callback([&](const Task<>&) { called_back = call.frames_gone == 1; });
    co_await call.until_begun();
    CHECK(task.abort("aborted"));
    CHECK(task.cancelled());
    CHECK_FALSE(task.abort());
    CHECK_FALSE(task.cancel());
    CHECK(call.frames_gone == 0);
    CHECK(reason_of(task) == "aborted");
    co_await errand::wait_all(task);  // a wait that begins now lasts until the frames are gone, too
    check(call);
    co_await errand::yield();
    CHECK(called_back);
  }
}

REAL_PLAIN_TEST("what a thread call uses stays until it returns: the end of main") {
  for (const Place place : all_places) {
    Call call(place);
    App own("own");
    Task<> task;
    own.run([](App& its_app, Place where, Call& its_call, Task<>& its_task) -> Coro<> {
      its_task = its_app.add_task(call_at(where, its_call));
      co_await its_call.until_begun();
    }(own, place, call, task));
    CHECK(task.cancelled());
    check(call);
  }
}

REAL_PLAIN_TEST("a call that goes on after the graceful timeout: its task is told of, and the run waits for the call") {
  std::atomic<bool> begun = false, told = false, used = false;
  App own("own", {.graceful_timeout = 1ms, .on_failure = [&](const errand::TaskFailure& failure) {
                    log(failure.task().cancelled(), failure.what().substr(0, 43));
                    told = true;
                  }});
  own.run(
      [](App& its_app, std::atomic<bool>& has_begun, std::atomic<bool>& may_end, std::atomic<bool>& ends) -> Coro<> {
        its_app.add_task([&]() -> Coro<> {
          const std::string local = "local";
          const auto call = [&] {
            has_begun = true;
            while (!may_end) std::this_thread::sleep_for(1ms);
            std::this_thread::sleep_for(10ms);
            ends = local == "local";
          };
          co_await to_thread(call);
        });
        while (!has_begun) co_await errand::sleep(1ms);
      }(own, begun, told, used));
  CHECK(used);
  expect("true task 'Task-2' was still standing at the end");
}

REAL_PLAIN_TEST("what a thread call uses stays until it returns: the end of the App") {
  for (const Place place : all_places) {
    Call call(place);
    Task<> task;
    {
      App own("own");
      task = own.add_task(call_at(place, call));
      while (!call.begun) own.poll();
    }
    CHECK(task.cancelled());
    check(call);
  }
}

REAL_PLAIN_TEST("what a thread call uses stays until it returns: the end of the App after an abort") {
  for (const Place place : all_places) {
    Call call(place);
    {
      App own("own");
      auto task = own.add_task(call_at(place, call));
      while (!call.begun) own.poll();
      task.abort();
      CHECK(call.frames_gone == 0);
      CHECK(own.all_tasks().empty());
    }
    check(call);
  }
}

REAL_PLAIN_TEST("what a thread call uses stays until it returns: a run that ends where it stood") {
  for (const Place place : all_places) {
    Call call(place);
    FailingReactor reactor(call);
    App own("own", {.reactor = &reactor});
    {
      Call* const local = &call;  // stands in the caller of `run`, and has to outlive only the run
      CHECK_THROWS_WITH(own.run(call_at(place, *local)), "reactor");
      check(call);
    }
  }
}

REAL_PLAIN_TEST("what a thread call uses stays until it returns: a second signal") {
  for (const Place place : all_places) {
    Call call(place);
    App own("own", {.on_failure = [](const errand::TaskFailure&) {}});
    own.add_task([&]() -> Coro<> {
      co_await call.until_begun();
      std::raise(SIGINT);
      std::raise(SIGINT);
    });
    CHECK_THROWS_AS(own.run(call_at(place, call), {.handle_signals = true}), TaskCancelled);
    check(call);
  }
}

REAL_APP_TEST("nothing inside goes on while a thread call holds up the end of an aborted task") {
  Call call(400ms, false);
  errand::Queue<int> queue;
  errand::Event event;
  const auto says = [this](Coro<> work) -> Coro<> {
    try {
      co_await std::move(work);
    } catch (const Cancelled&) {
    }
    log("went on");
  };
  const auto gets = [](errand::Queue<int>& from) -> Coro<> { co_await from.get(); };
  const auto waits = [](errand::Event& its_event) -> Coro<> { co_await its_event.wait(); };
  const auto members = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(says(waits(event)), "member");
    co_await errand::sleep(1h);
  };
  auto task = app.add_task([&]() -> Coro<> {
    co_await errand::gather(call.use(), says(errand::wait_for(long_sleep(), 200ms)), says(gets(queue)),
                            says([]() -> Coro<> {
                              for (;;) co_await errand::yield();
                            }()),
                            errand::TaskGroup::run(members));
  });
  co_await call.until_begun();
  co_await errand::yield();
  std::optional<Task<>> member;
  for (const auto& each : app.all_tasks()) {
    if (each.name() == "member") member = each;
  }
  REQUIRE(member);
  task.abort();
  CHECK(member->cancelled());  // the member does not run any more
  queue.try_put(1);
  event.set();
  CHECK(app.all_tasks().size() == 1);
  co_await errand::wait_all(*member);
  CHECK(call.returned);
  co_await errand::wait_all(task);
  CHECK(queue.size() == 1);
  check(call);
  expect("");
}

REAL_APP_TEST("a member aborted before its group's task, and a task aborted before the member's call returns") {
  for (const bool has_more : {false, true}) {
    Call call, other;
    std::optional<Task<>> member;
    auto task = app.add_task([&]() -> Coro<> {
      const auto body = [&](errand::TaskGroup& group) -> Coro<> {
        member = group.add([&]() -> Coro<> { co_await call.use(); });
        co_return;
      };
      auto group = errand::TaskGroup::run(body);
      if (has_more) {
        co_await errand::gather(std::move(group), other.use());
      } else {
        co_await std::move(group);
      }
      log("went on");
    });
    co_await call.until_begun();
    if (has_more) co_await other.until_begun();
    member->abort();
    task.abort();
    co_await errand::wait_all(task);
    CHECK(member->cancelled());
    check(call);
    if (has_more) check(other);
  }
  expect("");
}

REAL_APP_TEST("a generator dropped during a thread call inside it stays until that returns, and goes on no further") {
  for (const bool is_aborted : {false, true}) {
    Call call(400ms, false);
    const auto generate = [](Call& its_call, support::Log& its_log) -> AsyncGenerator<int> {
      const auto beside = [](support::Log& inner) -> Coro<> {
        co_await errand::sleep(200ms);
        inner("went on");
      };
      co_await errand::gather(its_call.use(), beside(its_log));
      co_yield 1;
    };
    auto generator = std::make_unique<AsyncGenerator<int>>(generate(call, log));
    auto task = app.add_task([&]() -> Coro<> {
      auto next = generator->next();
      try {
        co_await next;
      } catch (const InvalidState& error) {
        CHECK(call.frames_gone == 1);
        log(error.what());
      }
      co_await errand::sleep(1h);
    });
    co_await call.until_begun();
    generator = nullptr;
    CHECK(call.frames_gone == 0);
    if (is_aborted) {
      task.abort();
    } else {
      task.cancel();  // the next await throws this request
    }
    co_await errand::wait_all(task);
    CHECK(task.cancelled());
    check(call);
  }
  expect("the generator that was waited for has been destroyed");
}

TEST_CASE("a call that has not begun is taken back, and what it was given goes in the App's thread") {
  support::Notes<bool> at_home;
  for (const bool may_abandon : {false, true}) {
    for (const bool is_aborted : {false, true}) {
      std::promise<void> go;
      std::atomic<bool> ran = false;
      App own("own", {.max_threads = 1});
      own.run([](App& its_app, bool abandons, bool aborts, std::promise<void>& may_go, std::atomic<bool>& called,
                 support::Notes<bool>& notes) -> Coro<> {
        const auto blocks = [&may_go] { may_go.get_future().wait(); };
        auto first = its_app.add_task([&]() -> Coro<> { co_await to_thread(blocks); });
        auto second = its_app.add_task([&]() -> Coro<> {
          const auto call = [&called](const support::NotesThreadOfEnd&) { called = true; };
          if (abandons) {
            co_await to_thread(abandon, call, support::NotesThreadOfEnd(notes));
          } else {
            co_await to_thread(call, support::NotesThreadOfEnd(notes));
          }
        });
        co_await errand::sleep(1ms);
        const std::size_t before = notes.all().size();
        aborts ? second.abort() : second.cancel();
        co_await errand::wait_all(second);
        CHECK(second.cancelled());
        CHECK(notes.all().size() == before + 1);
        CHECK_FALSE(first.done());
        may_go.set_value();
        co_await first;
      }(own, may_abandon, is_aborted, go, ran, at_home));
      CHECK_FALSE(ran);
    }
  }
  CHECK(at_home.all() == std::vector<bool>(4, true));
}

REAL_APP_TEST("a call whose task is asked to end before the await never begins") {
  std::atomic<bool> ran = false;
  auto task = app.add_task([&]() -> Coro<> {
    current_task().cancel("before");
    co_await to_thread([&ran] { ran = true; });
  });
  co_await errand::wait_all(task);
  CHECK(task.cancelled());
  co_await errand::sleep(2ms);
  CHECK_FALSE(ran);
}

REAL_APP_TEST("two thread calls in one expression are made one after the other, and each keeps its result") {
  std::atomic<int> running = 0, most = 0;
  const auto call = [&](int number, std::chrono::milliseconds takes) {
    most = std::max(most.load(), ++running);
    std::this_thread::sleep_for(takes);
    --running;
    return number;
  };
  for (const auto& [first, second] : {std::pair(5ms, 5ms), std::pair(5ms, 0ms), std::pair(0ms, 5ms)}) {
    const int sum = co_await to_thread(call, 1, first) - co_await to_thread(call, 20, second);
    CHECK(sum == -19);
  }
  CHECK(most == 1);
}

REAL_APP_TEST("an awaiter of a thread call that is made and not awaited has no effect") {
  std::atomic<bool> ran = false;
  auto call = to_thread([&ran] { return ran = true; });
  errand::detail::Chain& chain = co_await errand::detail::ThisChain();
  {
    [[maybe_unused]] const auto awaiter = call.awaited_by(chain);
  }
  co_await errand::sleep(2ms);
  CHECK_FALSE(ran);
  const bool has_run = co_await call;
  CHECK(has_run);
}

REAL_APP_TEST(
    "the result of a call whose task was asked to end is given, its error thrown, and the request comes next") {
  Call call;
  auto gives = app.add_task([&]() -> Coro<> {
    log(co_await call.use());
    try {
      co_await errand::yield();
    } catch (const Cancelled& cancelled) {
      log(cancelled.reason());
    }
  });
  co_await call.until_begun();
  gives.cancel("first");
  gives.cancel("second");
  co_await gives;

  std::atomic<bool> begun = false;
  auto throws = app.add_task([&]() -> Coro<> {
    const auto f = [&] {
      begun = true;
      std::this_thread::sleep_for(5ms);
      throw runtime_error("disk full");
    };
    co_await to_thread(f);
  });
  while (!begun) co_await errand::sleep(1ms);
  throws.cancel();
  try {
    co_await throws;
  } catch (const runtime_error& error) {
    log(error.what());
  }
  expect("7 ; first ; disk full");
}

REAL_APP_TEST("a call that returns in spite of a time-out gives its result, and its error comes out of the wait_for") {
  Call call;
  log(co_await errand::wait_for(call.use(), 200ms));
  check(call);
  const auto fails = [] {
    std::this_thread::sleep_for(400ms);
    throw runtime_error("disk full");
  };
  try {
    co_await errand::wait_for(to_thread(fails), 200ms);
  } catch (const runtime_error& error) {
    log(error.what());
  }
  expect("7 ; disk full");
}

REAL_APP_TEST("a race whose loser is a thread call waits for it, and destroys its result") {
  Call call;
  const auto waits = [](Call& its_call) -> Coro<> { co_await its_call.until_begun(); };
  const auto race = co_await errand::race(waits(call), call.use());
  CHECK(race.index() == 0);
  check(call);
}

REAL_APP_TEST("an error of a thread call whose task was aborted, or destroyed with its App, is reported once") {
  std::atomic<bool> begun = false, may_end = false;
  const auto fails = [&begun, &may_end] {
    begun = true;
    while (!may_end) std::this_thread::sleep_for(1ms);
    throw runtime_error("too late");
  };
  const auto calls = [&]() -> Coro<> { co_await to_thread(fails); };
  auto task = app.add_task(calls);
  while (!begun) co_await errand::sleep(1ms);
  task.abort();
  may_end = true;
  co_await errand::wait_all(task);
  expect("", {"too late"});

  std::vector<std::string> told;
  begun = false;
  std::thread([&] {  // on another thread, because no App may run inside another one
    App own("own", {.on_failure = [&told](const errand::TaskFailure& failure) {
              told.push_back(failure.name() + " " + failure.what());
            }});
    own.add_task(calls, "caller");
    while (!begun) own.poll();
  })
      .join();
  CHECK(told == std::vector<std::string>{"caller too late"});
}

REAL_APP_TEST("a call that may be abandoned is left at once, and what it throws then is reported") {
  std::promise<void> go;
  const auto released = go.get_future().share();
  std::atomic<int> begun = 0, ended = 0;
  const auto call = [&begun, &ended, released](int number) {
    ++begun;
    released.wait();
    ++ended;
    if (number > 1) throw runtime_error("left " + std::to_string(number));
    if (number == 1) throw Cancelled("no failure");
  };
  std::vector<Task<>> tasks;
  for (const int number : {0, 1, 2, 3}) {
    tasks.push_back(app.add_task([&, number]() -> Coro<> {
      try {
        co_await to_thread(abandon, call, number);
      } catch (const Cancelled& cancelled) {
        log(number, cancelled.reason());
        throw;
      }
    }));
  }
  while (begun < 4) co_await errand::sleep(1ms);
  for (const int i : {0, 1, 2}) tasks[static_cast<std::size_t>(i)].cancel("no time");
  tasks[3].abort();
  co_await errand::wait_all(tasks);
  for (const auto& task : tasks) CHECK(task.cancelled());
  CHECK(ended == 0);
  CHECK(reports.empty());
  go.set_value();
  while (ended < 4 || reports.size() < 2) co_await errand::sleep(1ms);  // the calls use the variables of this test
  co_await errand::sleep(2ms);
  std::sort(reports.begin(), reports.end());
  expect("0 no time ; 1 no time ; 2 no time", {"left 2", "left 3"});
}

REAL_APP_TEST("a call that could be abandoned and is not gives its result and throws its error") {
  log(co_await to_thread(abandon, [](int a, int b) { return a + b; }, 3, 4));
  int (*const function)(int) = [](int number) { return number + 1; };
  log(co_await to_thread(abandon, function, 1));
  const auto calls = [](int (*its_function)(int)) { return its_function(4); };  // a function is never destroyed
  log(co_await to_thread(abandon, calls, function));
  const auto fails = [] { throw runtime_error("thrown"); };
  try {
    co_await to_thread(abandon, fails);
  } catch (const runtime_error& error) {
    log(error.what());
  }
  expect("7 ; 2 ; 5 ; thrown");
}

TEST_CASE("the App's end waits for a call that was abandoned, and reports its error") {
  std::atomic<bool> begun = false;
  std::vector<std::string> told;
  {
    App app("app", {.on_failure = [&told](const errand::TaskFailure& failure) { told.push_back(failure.what()); }});
    const auto slow = [&begun] {
      begun = true;
      std::this_thread::sleep_for(10ms);
      throw runtime_error("late");
    };
    auto task = app.add_task([&]() -> Coro<> { co_await to_thread(abandon, slow); });
    while (!begun) app.poll();
    task.abort();
    CHECK(told.empty());
  }
  CHECK(told == std::vector<std::string>{"late"});
}

#ifdef __cpp_lib_jthread
REAL_APP_TEST("whatever ends the wait for a thread call requests its stop token") {
  enum class How { cancel, time_out, abort, end_of_run, end_of_app, abandoned, abandoned_by_abort };
  using enum How;
  for (const How how : {cancel, time_out, How::abort, end_of_run, end_of_app, abandoned, abandoned_by_abort}) {
    std::atomic<bool> begun = false, stopped = false;
    const auto call = [&](std::stop_token token) {
      begun = true;
      for (int i = 0; i < 5000 && !token.stop_requested(); ++i) std::this_thread::sleep_for(1ms);
      stopped = token.stop_requested();
    };
    std::thread([&] {
      App own("own");
      Task<> task;
      const auto calls = [&]() -> Coro<> {
        if (how == abandoned || how == abandoned_by_abort) {
          co_await to_thread(abandon, call);
        } else if (how == time_out) {
          co_await errand::wait_for(to_thread(call), 200ms);
        } else {
          co_await to_thread(call);
        }
      };
      task = own.add_task(calls);
      if (how == end_of_app) {
        while (!begun) own.poll();
        return;
      }
      const auto main = [&]() -> Coro<> {
        while (!begun) co_await errand::sleep(1ms);
        if (how == cancel || how == abandoned) task.cancel();
        if (how == How::abort || how == abandoned_by_abort) task.abort();
        if (how != end_of_run) co_await errand::wait_all(task);
      };
      own.run(main());
    }).join();
    CHECK(stopped);
  }
  co_return;
}

REAL_APP_TEST("a stop callback may abort its own task and others, wherever the stop is requested") {
  for (const std::string how : {"cancel", "abort", "group", "end"}) {
    std::atomic<int> begun = 0;
    int called = 0;
    std::thread([&] {
      App own("own");
      std::vector<Task<>> tasks;
      const auto call = [&](std::stop_token token) {
        const std::stop_callback callback(token, [&] {
          ++called;
          for (const auto& task : tasks) {
            if (!task.done()) Task<>(task).abort();
          }
        });
        ++begun;
        while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
      };
      const auto calls = [&]() -> Coro<> { co_await to_thread(call); };
      const auto body = [&](errand::TaskGroup& group) -> Coro<> {
        for (int i = 0; i < 3; ++i) tasks.push_back(group.add(calls()));
        co_return;
      };
      const auto grouped = [&]() -> Coro<> { co_await errand::TaskGroup::run(body); };
      const auto main = [&]() -> Coro<> {
        auto first = own.add_task(grouped());
        for (int i = 0; i < 3; ++i) tasks.push_back(own.add_task(calls()));
        tasks.push_back(own.add_task(long_sleep()));
        while (begun < 6) co_await errand::sleep(1ms);
        if (how == "group") first.cancel();
        if (how == "cancel") tasks.back().cancel(), tasks[4].cancel();
        if (how == "abort") first.abort();
        if (how != "end") co_await errand::wait_all(tasks);
      };
      own.run(main());
      for (const auto& task : tasks) CHECK(task.cancelled());
    }).join();
    CHECK(called > 0);
  }
  co_return;
}

namespace {

/// A race between a wait for a primitive and a thread call. When `wake` wakes the wait, the race is decided and asks
/// the call to stop. The stop callback of the call destroys the primitive, which is still inside `wake` at that moment.
template <class Primitive, class Wait, class Wake>
Coro<> destroy_when_stopped(App& app, std::unique_ptr<Primitive> primitive, Wait wait, Wake wake) {
  std::atomic<bool> begun = false;
  const auto call = [&](std::stop_token token) {
    const std::stop_callback callback(token, [&] { primitive.reset(); });
    begun = true;
    while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
  };
  const auto race = [&]() -> Coro<> { co_await errand::race(wait(*primitive), to_thread(call)); };
  const auto racing = app.add_task(race());
  while (!begun) co_await errand::sleep(1ms);
  wake(*primitive);
  co_await errand::wait_all(racing);
  CHECK(!primitive);
  (void)racing.exception();  // InvalidState if the wait had been handed something, QueueClosed after `close`
}

const auto wait_for_it = [](auto& primitive) { return primitive.wait(); };

}  // namespace

REAL_APP_TEST("a race that a wake-up decides requests the stops of its thread calls in the order of its arguments") {
  std::atomic<int> begun = 0;
  std::vector<int> stopped;
  const auto call = [&](std::stop_token token, int number) {
    const std::stop_callback callback(token, [&] { stopped.push_back(number); });
    ++begun;
    while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
  };
  errand::Event event;
  const auto race = [&]() -> Coro<> {
    co_await errand::race(event.wait(), to_thread(call, 1), to_thread(call, 2), to_thread(call, 3));
  };
  const auto racing = app.add_task(race());
  while (begun < 3) co_await errand::sleep(1ms);
  event.set();
  co_await racing;
  CHECK(stopped == std::vector<int>{1, 2, 3});
}

REAL_APP_TEST("an aborted member of a group keeps the reason of its abort while a thread call uses its frames") {
  for (const bool is_destroyed : {false, true}) {
    std::atomic<bool> begun = false;
    std::atomic<bool> may_end = false;
    const auto call = [&] {
      begun = true;
      while (!may_end) std::this_thread::sleep_for(1ms);
    };
    const auto calls = [&]() -> Coro<> { co_await to_thread(call); };
    Task<> member;
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      member = group.add(calls());
      co_await errand::sleep(1h);
    };
    const auto grouped = [&]() -> Coro<> { co_await errand::TaskGroup::run(body); };
    std::optional<errand::ScopedTask<>> outer(app.add_task(grouped()));
    while (!begun) co_await errand::sleep(1ms);
    member.abort("of the abort");
    std::thread ends_call([&] {
      std::this_thread::sleep_for(5ms);
      may_end = true;
    });
    if (is_destroyed) {
      outer.reset();
    } else {
      (*outer)->cancel("of the group");
      co_await errand::wait_all(outer->get());
    }
    ends_call.join();
    co_await errand::wait_all(member);
    std::string reason;
    try {
      member.result();
    } catch (const errand::TaskCancelled& cancelled) {
      reason = cancelled.reason();
    }
    CHECK(reason == "of the abort");
  }
}

REAL_APP_TEST(
    "a scope that ends in the step that decided a race requests the stop of the call before it waits for it") {
  std::atomic<bool> begun = false;
  std::atomic<bool> stopped = false;
  const auto call = [&](std::stop_token token) {
    begun = true;
    while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
    stopped = true;
  };
  errand::Event event;
  {
    errand::TaskScope scope;
    scope.add([&]() -> Coro<> { co_await errand::race(event.wait(), to_thread(call)); });
    while (!begun) co_await errand::sleep(1ms);
    event.set();
  }
  CHECK(stopped);
}

REAL_APP_TEST("a stop callback may destroy the primitive whose wake-up decided the race with the thread call") {
  const auto set = [](errand::Event& event) { event.set(); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Event>(), wait_for_it, set);
  const auto notify_one = [](errand::Condition& condition) { condition.notify_one(); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Condition>(), wait_for_it, notify_one);
  const auto notify_all = [](errand::Condition& condition) { condition.notify_all(); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Condition>(), wait_for_it, notify_all);
  const auto get = [](errand::Queue<int>& queue) { return queue.get(); };
  const auto put = [](errand::Queue<int>& queue) { queue.try_put(1); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Queue<int>>(), get, put);
  const auto close = [](errand::Queue<int>& queue) { queue.close(); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Queue<int>>(), get, close);
  const auto acquire = [](errand::Semaphore& semaphore) { return semaphore.acquire(); };
  const auto release = [](errand::Semaphore& semaphore) { semaphore.release(); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Semaphore>(0), acquire, release);
  const auto await = [](errand::Future<int>& future) -> errand::Future<int>& { return future; };
  const auto set_result = [](errand::Future<int>& future) { future.set_result(1); };
  co_await destroy_when_stopped(app, std::make_unique<errand::Future<int>>(), await, set_result);
}
#endif

REAL_APP_TEST(
    "thread calls of 1,000 members of an aborted group: those that wait are taken back, those that run hold it") {
  std::atomic<int> ran = 0;
  std::atomic<bool> is_aborted = false;
  int gone = 0;
  struct Counts {
    int& count;
    ~Counts() { ++count; }
  };
  auto task = app.add_task([&]() -> Coro<> {
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      for (int i = 0; i < 1000; ++i) {
        group.add([&]() -> Coro<> {
          const Counts counts{gone};
          const auto call = [&] {
            ++ran;
            while (!is_aborted) std::this_thread::sleep_for(1ms);
            std::this_thread::sleep_for(3ms);
            return counts.count;
          };
          co_await to_thread(call);
        });
      }
      co_return;
    };
    co_await errand::TaskGroup::run(body);
  });
  while (ran == 0) co_await errand::sleep(1ms);
  task.abort();
  is_aborted = true;
  CHECK(gone == 0);
  co_await errand::wait_all(task);
  CHECK(gone == 1000);
  CHECK(ran <= 32);
}

REAL_APP_TEST("an aborted chain of 100,000 Coros around a thread call goes in constant stack when the call returns") {
  Call call;
  struct Nests {
    static Coro<> nest(int depth, Call& its_call) {
      if (depth > 0) {
        co_await nest(depth - 1, its_call);
      } else {
        co_await its_call.use();
      }
    }
  };
  auto task = app.add_task(Nests::nest(100'000, call));
  co_await call.until_begun();
  task.abort();
  co_await errand::wait_all(task);
  check(call);
}
