// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <mutex>

#include "support.hpp"

namespace support {

/// The base of a test on the real clock: an App named "app", a log, and the failures that were reported.
class RealFixture {
 public:
  RealFixture() : RealFixture(errand::AppConfig{}) {}
  explicit RealFixture(errand::AppConfig config) : app("app", with_report(std::move(config))) {}
  RealFixture(const RealFixture&) = delete;

  Log log;
  std::vector<std::string> reports;
  App app;

  void expect(std::string_view expected_log, const std::vector<std::string>& expected_reports = {}) {
    CHECK(log.text() == expected_log);
    CHECK(reports == expected_reports);
  }

 private:
  errand::AppConfig with_report(errand::AppConfig config) {
    config.on_failure = [this](const errand::TaskFailure& failure) { reports.push_back(failure.what()); };
    return config;
  }
};

/// A list to which several threads may append.
template <class T>
class Notes {
 public:
  void operator()(T note) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(note));
  }
  std::vector<T> all() const {
    const std::lock_guard lock(mutex_);
    return notes_;
  }
  std::vector<T> sorted() const {
    auto notes = all();
    std::sort(notes.begin(), notes.end());
    return notes;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> notes_;
};

/// Notes, when it is destroyed, whether the thread is the one that made it.
class NotesThreadOfEnd {
 public:
  explicit NotesThreadOfEnd(Notes<bool>& at_home) : at_home_(&at_home) {}
  NotesThreadOfEnd(NotesThreadOfEnd&& other) noexcept
      : at_home_(std::exchange(other.at_home_, nullptr)), home_(other.home_) {}
  ~NotesThreadOfEnd() {
    if (at_home_) (*at_home_)(home_ == std::this_thread::get_id());
  }

 private:
  Notes<bool>* at_home_;
  std::thread::id home_ = std::this_thread::get_id();
};

}  // namespace support

/// Like APP_TEST and PLAIN_TEST, but on the real clock.
#define REAL_APP_TEST_OF(test, name)   \
  namespace {                          \
  struct test : support::RealFixture { \
    errand::Coro<> body();             \
  };                                   \
  TEST_CASE(name) {                    \
    test fixture;                      \
    fixture.app.run(fixture.body());   \
  }                                    \
  }                                    \
  errand::Coro<> test::body()
#define REAL_APP_TEST_LINE(line, name) REAL_APP_TEST_OF(RealAppTest##line, name)
#define REAL_APP_TEST_AT(line, name) REAL_APP_TEST_LINE(line, name)
#define REAL_APP_TEST(name) REAL_APP_TEST_AT(__LINE__, name)

#define REAL_PLAIN_TEST_OF(test, name) \
  namespace {                          \
  struct test : support::RealFixture { \
    void body();                       \
  };                                   \
  TEST_CASE(name) {                    \
    test fixture;                      \
    fixture.body();                    \
  }                                    \
  }                                    \
  void test::body()
#define REAL_PLAIN_TEST_LINE(line, name) REAL_PLAIN_TEST_OF(RealPlainTest##line, name)
#define REAL_PLAIN_TEST_AT(line, name) REAL_PLAIN_TEST_LINE(line, name)
#define REAL_PLAIN_TEST(name) REAL_PLAIN_TEST_AT(__LINE__, name)
