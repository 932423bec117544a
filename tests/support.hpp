// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <errand/errand.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using errand::App;
using errand::Cancelled;
using errand::Coro;
using errand::current_task;
using errand::InvalidState;
using errand::Task;
using errand::TaskCancelled;
using errand::TaskStatus;
using errand::TimeoutError;
using std::runtime_error;

namespace support {

/// Returns a duration or a time in seconds, as a log writes it: 1, 0.05.
inline std::string seconds(std::chrono::nanoseconds duration) {
  std::ostringstream text;
  text.precision(15);
  text << std::chrono::duration<double>(duration).count();
  return text.str();
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_base_of_v<TaskCancelled, T>) {
    return "TaskCancelled" + (value.reason().empty() ? "" : " " + value.reason());
  } else if constexpr (std::is_same_v<T, TimeoutError>) {
    return "TimeoutError";
  } else if constexpr (std::is_same_v<T, InvalidState>) {
    return "InvalidState";
  } else if constexpr (std::is_same_v<T, errand::WrongThread>) {
    return "WrongThread";
  } else if constexpr (std::is_same_v<T, errand::TaskNameInUse>) {
    return "TaskNameInUse";
  } else if constexpr (std::is_same_v<T, errand::QueueClosed>) {
    return "QueueClosed";
  } else if constexpr (std::is_base_of_v<std::exception, T>) {
    return value.what();
  } else if constexpr (std::is_convertible_v<const T&, std::chrono::nanoseconds>) {
    return seconds(value);
  } else if constexpr (requires { value.has_value(), *value; }) {
    return value ? text_of(*value) : "none";
  } else {
    std::ostringstream text;
    text << value;
    return text.str();
  }
}

/// The events of a test, one entry for each.
class Log {
 public:
  /// Appends one entry: the arguments, joined by spaces. Empty texts are left out.
  template <class... Args>
  void operator()(const Args&... args) {
    std::string entry;
    const auto append = [&entry](const std::string& part) {
      if (!entry.empty() && !part.empty()) entry += ' ';
      entry += part;
    };
    (append(text_of(args)), ...);
    entries_.push_back(std::move(entry));
  }
  /// Returns all entries, with " ; " between them.
  std::string text() const {
    std::string all;
    for (const std::string& entry : entries_) all += (all.empty() ? "" : " ; ") + entry;
    return all;
  }
  void clear() { entries_.clear(); }

 private:
  std::vector<std::string> entries_;
};

/// Logs a text when it is destroyed.
class LogsAtEnd {
 public:
  LogsAtEnd(Log& log, std::string what) : log_(log), what_(std::move(what)) {}
  LogsAtEnd(const LogsAtEnd&) = delete;
  ~LogsAtEnd() { log_(what_); }

 private:
  Log& log_;
  const std::string what_;
};

/// Calls a function when it is destroyed. An object that was moved from does not call the function.
template <class F>
class CallsAtEnd {
 public:
  explicit CallsAtEnd(F f) : f_(std::move(f)) {}
  CallsAtEnd(CallsAtEnd&& other) noexcept : f_(std::move(other.f_)), armed_(std::exchange(other.armed_, false)) {}
  ~CallsAtEnd() {
    if (armed_) f_();
  }

 private:
  F f_;
  bool armed_ = true;
};

/// Aborts a task when it is destroyed. The handle may be empty: then there is no task to abort.
class AbortsAtEnd {
 public:
  explicit AbortsAtEnd(Task<> task) : task_(std::move(task)) {}
  AbortsAtEnd(AbortsAtEnd&&) = default;
  ~AbortsAtEnd() {
    if (task_) task_.abort();
  }

 private:
  Task<> task_;
};

/// While an object of this class exists, text that is written to std::cerr goes to this object instead.
class CapturedCerr {
 public:
  CapturedCerr() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  CapturedCerr(const CapturedCerr&) = delete;
  ~CapturedCerr() { std::cerr.rdbuf(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* const before_;
};

/// The base of a test: an App named "app" on a ManualClock that starts at 0, a log, and the failures that were
/// reported.
class Fixture {
 public:
  Fixture() : Fixture(errand::AppConfig{}) {}
  explicit Fixture(errand::AppConfig config) : app("app", with_defaults(std::move(config))) {}
  Fixture(const Fixture&) = delete;

  errand::ManualClock clock;
  Log log;
  std::vector<std::string> reports;  // what() of each failure that on_failure was given
  bool reports_in_log = false;       // if true, "report <what>" is logged instead
  App app;                           // the last member, so that it is destroyed before all that its tasks use

  /// Returns the time since the start.
  std::chrono::nanoseconds now() { return clock.now().time_since_epoch(); }

  template <class Work>
  auto add(Work&& work, std::string name = {}) {
    return app.add_task(std::forward<Work>(work), std::move(name));
  }
  template <class F>
  auto at(std::chrono::nanoseconds time, F f) {
    return app.call_at(errand::Clock::time_point(time), std::move(f));
  }
  template <class F>
  auto later(std::chrono::nanoseconds delay, F f) {
    return app.call_later(delay, std::move(f));
  }

  /// Logs its start, sleeps, and logs its end. If it is cancelled, it logs that and throws on.
  template <class R = int>
  Coro<R> nap(std::string name, std::chrono::nanoseconds delay, R result = {}) {
    log(name, "start");
    try {
      co_await errand::sleep(delay);
    } catch (const Cancelled&) {
      log(name, "cancelled");
      throw;
    }
    log(name, "end");
    co_return result;
  }
  template <class R = int>
  static Coro<R> after(std::chrono::nanoseconds delay, R result = {}) {
    co_await errand::sleep(delay);
    co_return result;
  }
  static Coro<> bad(std::chrono::nanoseconds delay, std::string what) {
    if (delay > 0s) co_await errand::sleep(delay);
    throw runtime_error(what);
  }

  /// Compares the whole log and all reports up to now.
  void expect(std::string_view expected_log, const std::vector<std::string>& expected_reports = {}) {
    CHECK(log.text() == expected_log);
    CHECK(reports == expected_reports);
  }

 private:
  errand::AppConfig with_defaults(errand::AppConfig config) {
    if (!config.clock) config.clock = &clock;
    config.on_failure = [this](const errand::TaskFailure& failure) {
      if (reports_in_log) {
        log("report", failure.what());
      } else {
        reports.push_back(failure.what());
      }
    };
    return config;
  }
};

}  // namespace support

/// A test whose body is a coroutine, run as the main task of the fixture's App: `APP_TEST("…") { co_await …; }`. The
/// body can use the members of the fixture.
#define APP_TEST_OF(test, name)      \
  namespace {                        \
  struct test : support::Fixture {   \
    errand::Coro<> body();           \
  };                                 \
  TEST_CASE(name) {                  \
    test fixture;                    \
    fixture.app.run(fixture.body()); \
  }                                  \
  }                                  \
  errand::Coro<> test::body()
#define APP_TEST_LINE(line, name) APP_TEST_OF(AppTest##line, name)
#define APP_TEST_AT(line, name) APP_TEST_LINE(line, name)
#define APP_TEST(name) APP_TEST_AT(__LINE__, name)

/// A test whose body is a plain function. The body can use the members of the fixture, and runs the App itself.
#define PLAIN_TEST_OF(test, name)  \
  namespace {                      \
  struct test : support::Fixture { \
    void body();                   \
  };                               \
  TEST_CASE(name) {                \
    test fixture;                  \
    fixture.body();                \
  }                                \
  }                                \
  void test::body()
#define PLAIN_TEST_LINE(line, name) PLAIN_TEST_OF(PlainTest##line, name)
#define PLAIN_TEST_AT(line, name) PLAIN_TEST_LINE(line, name)
#define PLAIN_TEST(name) PLAIN_TEST_AT(__LINE__, name)
