// SPDX-License-Identifier: MIT
// Conformance cases about cancellation. Test names begin with the ids of the cases.
#include "support.hpp"

APP_TEST("B01 K02 R02 a task cancelled before its first step runs no line of its body") {
  auto c = [&]() -> Coro<> {
    try {
      log("ran");
      co_await errand::sleep(1s);
    } catch (const Cancelled&) {
      log("cleanup");
      throw;
    }
  };
  auto t = add(c());
  log(t.cancel("m"));
  log(t.status(), t.cancelling());
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e);
  }
  log(t.status());
  expect("true ; pending 1 ; TaskCancelled m ; cancelled");
}

APP_TEST("B02 cancel is a request, not an end, and false once the task is done") {
  auto t = add(nap("t", 10s));
  co_await errand::yield();
  log(t.cancel());
  log(t.status());
  co_await errand::yield();
  log(t.status());
  log("again", t.cancel());
  log("time", now());
  expect("t start ; true ; pending ; t cancelled ; cancelled ; again false ; time 0");
}

APP_TEST("B03 two requests before the delivery make one throw, with the first one's reason") {
  auto c = [&]() -> Coro<int> {
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled& e) {
      log("c", e.reason(), current_task().cancelling());
    }
    co_await errand::sleep(1s);
    log("survived");
    co_return 5;
  };
  auto t = add(c());
  co_await errand::yield();
  const bool first = t.cancel("one");
  const bool second = t.cancel("two");
  log(first, second, t.cancelling());
  const int value = co_await t;
  log(value, t.status());
  expect("true true 2 ; c one 2 ; survived ; 5 succeeded");
}

APP_TEST("B04 a task that catches its cancellation and returns has succeeded") {
  auto t = add([]() -> Coro<int> {
    int value = 0;
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled&) {
      value = 42;
    }
    co_return value;
  });
  co_await errand::yield();
  t.cancel();
  const int value = co_await t;
  log(value, t.status(), t.cancelling());
  expect("42 succeeded 1");
}

APP_TEST("P07 catch (...) catches a cancellation like catch (Cancelled)") {
  auto t = add([]() -> Coro<int> {
    int value = 0;
    try {
      co_await errand::sleep(10s);
    } catch (...) {
      value = 42;
    }
    co_return value;
  });
  co_await errand::yield();
  t.cancel();
  const int value = co_await t;
  log(value, t.status(), t.cancelling());
  expect("42 succeeded 1");
}

APP_TEST("B05 R01 one request makes one throw, and later awaits work") {
  auto t = add([this]() -> Coro<int> {
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled&) {
      log("swallowed");
    }
    co_await errand::sleep(1s);
    log("later await ok");
    co_return 1;
  });
  co_await errand::yield();
  t.cancel();
  const int value = co_await t;
  log(value, now());
  expect("swallowed ; later await ok ; 1 1");
}

APP_TEST("B07 a task that cancels itself gets it at its next suspension") {
  auto t = add([this]() -> Coro<> {
    log(current_task().cancel());
    log("still running");
    try {
      co_await errand::yield();
    } catch (const Cancelled&) {
      log("at await");
      throw;
    }
  });
  co_await errand::wait_all(t);
  log(t.status());
  expect("true ; still running ; at await ; cancelled");
}

APP_TEST("K21 a task that cancels itself, then yields, ends cancelled") {
  auto t = add([]() -> Coro<> {
    current_task().cancel();
    co_await errand::yield();
  });
  co_await errand::wait_all(t);
  log(t.status());
  expect("cancelled");
}

APP_TEST("B08 K22 a task that cancels itself, then returns without a suspension, keeps its value") {
  auto t = add([]() -> Coro<int> {
    current_task().cancel("x");
    co_return 12;
  });
  co_await errand::wait_all(t);
  log(t.status());
  log("result", t.result());
  expect("succeeded ; result 12");
}

APP_TEST("B10 cancelling a task that awaits another task leaves that one alone") {
  auto inner = add(nap("inner", 10s));
  auto outer = [&]() -> Coro<> {
    try {
      co_await inner;
    } catch (const Cancelled& e) {
      log("outer", e.reason(), "inner", inner.status());
      throw;
    }
  };
  auto o = add(outer());
  co_await errand::yield();
  co_await errand::yield();
  o.cancel("m");
  log("inner cancelling", inner.cancelling(), "outer", o.cancelling());
  co_await errand::wait_all(o);
  log(o.status(), inner.status());
  co_await inner;
  expect("inner start ; inner cancelling 0 outer 1 ; outer m inner pending ; cancelled pending ; inner end");
}

APP_TEST("B10' cancelling a task that awaits a Coro cancels the Coro, which is a part of it") {
  auto outer = [&]() -> Coro<> {
    try {
      co_await nap("inner", 10s);
    } catch (const Cancelled& e) {
      log("outer", e.reason());
      throw;
    }
  };
  auto o = add(outer());
  co_await errand::yield();
  co_await errand::yield();
  o.cancel("m");
  co_await errand::wait_all(o);
  log(o.status());
  expect("inner start ; inner cancelled ; outer m ; cancelled");
}

namespace {

/// Sleeps, and swallows a cancellation.
Coro<std::string> swallow() {
  bool is_cancelled = false;
  try {
    co_await errand::sleep(10s);
  } catch (const Cancelled&) {
    is_cancelled = true;
  }
  co_return is_cancelled ? "swallowed" : "slept";
}

}  // namespace

APP_TEST("B11 an awaited task that would swallow a cancellation gets none") {
  auto inner = add(swallow());
  auto outer = [&]() -> Coro<std::string> {
    const std::string r = co_await inner;
    log("outer got", r);
    co_return r;
  };
  auto o = add(outer());
  co_await errand::yield();
  co_await errand::yield();
  log(o.cancel());
  try {
    co_await o;
  } catch (const TaskCancelled& e) {
    log(e, o.status(), o.cancelling());
  }
  const std::string r = co_await inner;
  log(r);
  expect("true ; TaskCancelled cancelled 1 ; slept");
}

APP_TEST("B11' a cancellation that an awaited Coro catches is caught") {
  auto outer = [&]() -> Coro<std::string> {
    const std::string r = co_await swallow();
    log("outer got", r);
    co_return r;
  };
  auto o = add(outer());
  co_await errand::yield();
  co_await errand::yield();
  log(o.cancel());
  const std::string r = co_await o;
  log(r, o.status(), o.cancelling());
  expect("true ; outer got swallowed ; swallowed succeeded 1");
}

APP_TEST("B12 cancelling one of three that await a task concerns nobody else") {
  auto t = add(nap<std::string>("t", 10s, "v"));
  auto w = [&](int n) -> Coro<> {
    try {
      const std::string value = co_await t;
      log(n, value);
    } catch (const Cancelled& e) {
      log(n, "Cancelled", e.reason());
      throw;
    }
  };
  std::vector<Task<>> ws;
  for (int i = 0; i < 3; ++i) ws.push_back(add(w(i)));
  co_await errand::yield();
  co_await errand::yield();
  ws[1].cancel("m");
  co_await errand::wait_all(ws);
  log(ws[0].status(), ws[1].status(), ws[2].status());
  log(ws[0].cancelling(), ws[1].cancelling(), ws[2].cancelling());
  expect("t start ; 1 Cancelled m ; t end ; 0 v ; 2 v ; succeeded cancelled succeeded ; 0 1 0");
}

APP_TEST("B12' all who await a cancelled task get its reason, and are not cancelled") {
  auto t = add(nap<std::string>("t", 10s, "v"));
  auto w = [&](int n) -> Coro<> {
    try {
      const std::string value = co_await t;
      log(n, value);
    } catch (const TaskCancelled& e) {
      log(n, e);
    }
  };
  std::vector<Task<>> ws;
  for (int i = 0; i < 3; ++i) ws.push_back(add(w(i)));
  co_await errand::yield();
  co_await errand::yield();
  t.cancel("m");
  co_await errand::wait_all(ws);
  log(ws[0].status(), ws[1].status(), ws[2].status());
  log(ws[0].cancelling(), ws[1].cancelling(), ws[2].cancelling());
  expect(
      "t start ; t cancelled ; 0 TaskCancelled m ; 1 TaskCancelled m ; 2 TaskCancelled m ; "
      "succeeded succeeded succeeded ; 0 0 0");
}

APP_TEST("B13 a task fails with TaskCancelled if the future that it awaits is cancelled") {
  errand::Future<int> f;
  auto t = add([&]() -> Coro<> { co_await f; });
  co_await errand::yield();
  f.cancel();
  co_await errand::wait_all(t);
  log(t.status(), t.cancelling());
  try {
    t.result();
  } catch (const TaskCancelled& e) {
    log(e);
  }
  expect("failed 0 ; TaskCancelled");
}

APP_TEST("B14 cancelling a waiter leaves the future alone") {
  errand::Future<int> f;
  auto t = add([&]() -> Coro<> { co_await f; });
  co_await errand::yield();
  t.cancel();
  log("future done", f.done(), "task", t.status());
  co_await errand::wait_all(t);
  log(t.status());
  f.set_result(5);
  const int value = co_await f;
  log(value);
  expect("future done false task pending ; cancelled ; 5");
}

APP_TEST("B16 a value that is there before the request is not lost") {
  errand::Future<int> f;
  auto t = add([&]() -> Coro<> {
    try {
      const int value = co_await f;
      log("got", value);
    } catch (const Cancelled&) {
      log("cancelled");
      throw;
    }
  });
  co_await errand::yield();
  f.set_result(5);
  log(t.cancel());
  co_await errand::wait_all(t);
  log(t.status());
  expect("true ; got 5 ; succeeded");
}

APP_TEST("B17 a sleep that is due has ended, whatever a callback of the same deadline asks") {
  auto t = add([this]() -> Coro<> {
    try {
      co_await errand::sleep(1s);
      log("slept");
    } catch (const Cancelled&) {
      log("cancelled");
      throw;
    }
  });
  at(1s, [&] { t.cancel(); });
  co_await errand::wait_all(t);
  log(t.status());
  expect("slept ; succeeded");
}

APP_TEST("B20 a task that throws Cancelled itself is cancelled, with its reason") {
  auto t = add([]() -> Coro<> {
    throw Cancelled("own");
    co_return;
  });
  co_await errand::wait_all(t);
  log(t.status(), t.cancelling());
  try {
    t.result();
  } catch (const TaskCancelled& e) {
    log(e);
  }
  expect("cancelled 0 ; TaskCancelled own");
}

APP_TEST("B21 a task that answers its cancellation with an error has failed with it") {
  auto t = add([]() -> Coro<> {
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled&) {
      throw runtime_error("k");
    }
  });
  co_await errand::yield();
  t.cancel();
  co_await errand::wait_all(t);
  log(t.status());
  try {
    t.result();
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("failed ; k");
}

APP_TEST("B22 a task that returns while Cancelled unwinds has succeeded") {
  auto t = add([]() -> Coro<std::string> {
    std::string value;
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled&) {
      value = "r";
    }
    co_return value;
  });
  co_await errand::yield();
  t.cancel();
  const std::string value = co_await t;
  log(value, t.status());
  expect("r succeeded");
}

APP_TEST("B23 a task cancelled while it yields gets it when it resumes") {
  auto t = add([this]() -> Coro<> {
    try {
      co_await errand::yield();
      log("past 1");
      co_await errand::yield();
      log("past 2");
    } catch (const Cancelled&) {
      log("cancelled");
      throw;
    }
  });
  co_await errand::yield();
  t.cancel();
  co_await errand::wait_all(t);
  log(t.status());
  expect("cancelled ; cancelled");
}

namespace {

Coro<> nested_coros(support::Log& log, int n) {
  try {
    if (n == 0) {
      co_await errand::sleep(10s);
    } else {
      co_await nested_coros(log, n - 1);
    }
  } catch (const Cancelled&) {
    log("unwind", n);
    throw;
  }
}

Coro<> nested_tasks(support::Log& log, int n) {
  try {
    if (n == 0) {
      co_await errand::sleep(10s);
    } else {
      co_await App::current().add_task(nested_tasks(log, n - 1));
    }
    log("end", n);
  } catch (const Cancelled&) {
    log("unwind", n);
    throw;
  }
}

}  // namespace

APP_TEST("B24 nested Coros that are cancelled unwind from the inside") {
  auto t = add(nested_coros(log, 3));
  for (int i = 0; i < 6; ++i) co_await errand::yield();
  t.cancel();
  co_await errand::wait_all(t);
  log(t.status());
  expect("unwind 0 ; unwind 1 ; unwind 2 ; unwind 3 ; cancelled");
}

APP_TEST("B24' of nested tasks only the one that is cancelled unwinds") {
  auto t = add(nested_tasks(log, 3));
  for (int i = 0; i < 6; ++i) co_await errand::yield();
  t.cancel();
  co_await errand::wait_all(t);
  log(t.status());
  co_await errand::sleep(20s);
  expect("unwind 3 ; cancelled ; end 0 ; end 1 ; end 2");
}

APP_TEST("B25 awaiting a done task is no suspension, so nothing is thrown there") {
  auto inner = add(after(0s, 9));
  auto o = add([&]() -> Coro<> {
    co_await inner;
    current_task().cancel();
    const int value = co_await inner;
    log("await done task", value);
    try {
      co_await errand::yield();
    } catch (const Cancelled&) {
      log("at the next suspension");
      throw;
    }
  });
  co_await errand::wait_all(o);
  log(o.status());
  expect("await done task 9 ; at the next suspension ; cancelled");
}

APP_TEST("B30 a cancelled task that nobody awaits is no failure") {
  {
    auto t = add(after(10s));
    co_await errand::yield();
    t.cancel();
  }
  co_await errand::sleep(20s);
  expect("");
}

namespace {

/// Counts how many of its objects exist.
class Counted {
 public:
  explicit Counted(int& alive) : alive_(alive) { ++alive_; }
  Counted(const Counted&) = delete;
  ~Counted() { --alive_; }

 private:
  int& alive_;
};

}  // namespace

APP_TEST("K03 a cancelled task has destroyed its locals when its awaiter resumes") {
  int alive = 0;
  auto t = add([&]() -> Coro<> {
    const Counted counted(alive);
    co_await errand::sleep(10s);
  });
  co_await errand::yield();
  log(alive);
  const bool first = t.cancel();
  const bool second = t.cancel();
  log(first, second);
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e);
  }
  log(alive);
  expect("1 ; true true ; TaskCancelled ; 0");
}

APP_TEST("K03' abort destroys the locals at once, and the task is done") {
  int alive = 0;
  auto t = add([&]() -> Coro<> {
    const Counted counted(alive);
    co_await errand::sleep(10s);
  });
  co_await errand::yield();
  log(alive);
  const bool first = t.abort();
  const bool second = t.abort();
  log(first, second);
  log(alive);
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e);
  }
  expect("1 ; true false ; 0 ; TaskCancelled");
}

APP_TEST("K04 cancelling a done task does nothing") {
  auto t = add(after(0s, 7));
  co_await t;
  const bool asked = t.cancel();
  log(asked, t.status(), t.result());
  expect("false succeeded 7");
}

APP_TEST("K17 cancelling a done task again and again does nothing") {
  auto t = add(after(0s, 7));
  co_await t;
  t.cancel();
  const bool second = t.cancel();
  const bool third = t.cancel();
  log(second, third, t.result());
  expect("false false 7");
}

APP_TEST("P06 catch (const std::exception&) does not swallow a cancellation") {
  auto t = add([this]() -> Coro<> {
    try {
      co_await errand::sleep(10s);
    } catch (const std::exception&) {
      log("swallowed");
    }
  });
  co_await errand::yield();
  t.cancel();
  co_await errand::wait_all(t);
  log(t.status());
  expect("cancelled");
}

namespace {

Coro<> clean_up(support::Fixture& test) {
  test.log("cleanup", test.now());
  co_await errand::sleep(1s);
  test.log("cleaned", test.now());
}

}  // namespace

APP_TEST("P08 finally cleans up once after a body that returns, and gives its value") {
  auto t = add(errand::finally(after(1s, 5), clean_up(*this)));
  const int value = co_await t;
  log(value);
  expect("cleanup 1 ; cleaned 2 ; 5");
}

APP_TEST("P08 finally cleans up once after a body that throws, and throws its error") {
  auto t = add(errand::finally(bad(1s, "v"), clean_up(*this)));
  try {
    co_await t;
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("cleanup 1 ; cleaned 2 ; v");
}

APP_TEST("P08 finally cleans up once after a body that is cancelled, and stays cancelled") {
  auto t = add(errand::finally(after(10s), clean_up(*this)));
  at(1s, [&] { t.cancel(); });
  co_await errand::wait_all(t);
  log(t.status(), now());
  expect("cleanup 1 ; cleaned 2 ; cancelled 2");
}

APP_TEST("P08 finally holds a request back while it cleans up") {
  auto t = add(errand::finally(after(10s), clean_up(*this)));
  at(1s, [&] { t.cancel(); });
  at(1500ms, [&] { t.cancel(); });
  co_await errand::wait_all(t);
  log(t.status(), now());
  expect("cleanup 1 ; cleaned 2 ; cancelled 2");
}
