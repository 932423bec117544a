// SPDX-License-Identifier: MIT
// Tests that every primitive must pass, about the tasks that wait for it. Each primitive has a subject: a class that
// says how a task waits for the primitive, and how the waiters are served. A subject has these members:
//
//     static constexpr const char* name;      // the name of the primitive in the library's messages
//     explicit Subject(std::size_t waiters);  // the next `waiters` tasks that await it have to wait
//     decltype(auto) wait();                  // returns an awaitable
//     void keep(auto&& result);               // takes the result of that await
//     Coro<> serve();                         // serves the first waiter, or all waiters
//     bool settled(std::size_t serves);       // whether nothing is lost or doubled after so many serves
//
//     // How often to call serve until all are served, if `began` waiters came and `still_waiting` of them still wait.
//     static std::size_t serves(std::size_t began, std::size_t still_waiting);
//
//     // Whether one serve reaches the second waiter, if the first one has left before the serve, or is aborted in the
//     // turn of the serve.
//     static bool next_is_served(bool first_had_left, bool first_was_aborted);
//
//     static constexpr bool is_shared;     // the waiters keep it alive, as those of a shared future do
//     static constexpr bool serves_later;  // a serve wakes the waiters one turn later
//     static AppConfig config();           // the configuration that the App needs
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "support.hpp"

namespace waiting {

struct Subject {
  static constexpr bool is_shared = false;
  static constexpr bool serves_later = false;
  static errand::AppConfig config() { return {}; }
  template <class Result>
  void keep(Result&&) {}
  bool settled(std::size_t) { return true; }
};

/// One serve serves one waiter. If that task is then aborted, what it was handed goes to the next waiter.
struct ServesOne : Subject {
  static std::size_t serves(std::size_t, std::size_t still_waiting) { return still_waiting; }
  static bool next_is_served(bool first_had_left, bool first_was_aborted) {
    return first_had_left || first_was_aborted;
  }
};

/// One serve serves all waiters.
struct ServesAll : Subject {
  static std::size_t serves(std::size_t, std::size_t) { return 1; }
  static bool next_is_served(bool, bool) { return true; }
};

/// How a task waits: by an await of the subject itself, or inside a combinator. `both` is a race for two subjects.
enum class Way { plain, timed, raced, gathered, both };

/// Lets time pass, and then lets everything run that has become due. A sleep alone is not enough, because a ManualClock
/// does not jump while a shared Future is awaited.
inline Coro<> pass(support::Fixture& fixture, std::chrono::nanoseconds time) {
  const auto until = fixture.clock.now() + time;
  fixture.clock.advance(time);
  co_await errand::sleep_until(until);
  for (int i = 0; i < 10; ++i) co_await errand::yield();
}

/// Waits, and returns a word for what ended the wait. An exception that ends the wait comes out.
template <class S>
Coro<std::string> wait_and_name_end(S& subject, S& other, Way way, std::chrono::nanoseconds limit) {
  constexpr bool gives_nothing = std::is_same_v<decltype(errand::wait_for(subject.wait(), limit)), Coro<>>;
  if (way == Way::plain) {
    if constexpr (gives_nothing) {
      co_await subject.wait();
    } else {
      subject.keep(co_await subject.wait());
    }
  } else if (way == Way::timed) {
    if constexpr (gives_nothing) {
      co_await errand::wait_for(subject.wait(), limit);
    } else {
      subject.keep(co_await errand::wait_for(subject.wait(), limit));
    }
  } else if (way == Way::gathered) {
    auto all = co_await errand::gather(subject.wait(), errand::yield());
    subject.keep(std::get<0>(std::move(all)));
  } else if (way == Way::raced) {
    auto race = co_await errand::race(subject.wait(), errand::sleep(limit));
    if (race.index() == 1) co_return "slept";
    subject.keep(std::get<0>(std::move(race).value()));
  } else {
    auto race = co_await errand::race(subject.wait(), other.wait());
    if (race.index() == 1) {
      other.keep(std::get<1>(std::move(race).value()));
      co_return "other";
    }
    subject.keep(std::get<0>(std::move(race).value()));
  }
  co_return "served";
}

/// Writes to `text` how a wait ended. Then waits to be cancelled, and adds the reason of the cancellation.
template <class S>
Coro<> note_ends(S& subject, S& other, Way way, std::chrono::nanoseconds limit, std::string& text) {
  try {
    text = co_await wait_and_name_end(subject, other, way, limit);
  } catch (const TimeoutError&) {
    text = "timed out";
  } catch (const InvalidState& e) {
    const std::string message = std::string("the ") + S::name + " that was waited for has been destroyed";
    text = e.what() == message ? "destroyed" : e.what();
  } catch (const Cancelled& e) {
    text = e.reason();
  }
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& e) {
    text += " then " + e.reason();
  }
}

// The events that can happen to a waiter in one turn. The waiter is served, or it is served by the other subject, if it
// races for both. It is cancelled, aborted or timed out. Or the subject is destroyed.
constexpr char served = 's', served_by_other = 'o', cancelled = 'c', aborted = 'a', timed_out = 't', destroyed = 'd';

/// Returns all subsets of these events, each of them in all orders.
inline std::vector<std::string> orders(const std::string& of) {
  std::vector<std::string> all;
  for (unsigned set = 1; set < 1u << of.size(); ++set) {
    std::string order;
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (set >> i & 1u) order += of[i];
    }
    std::sort(order.begin(), order.end());
    do all.push_back(order);
    while (std::next_permutation(order.begin(), order.end()));
  }
  return all;
}
inline bool has(const std::string& order, char what) { return order.find(what) != std::string::npos; }

inline std::string label(const std::string& order, Way way) {
  constexpr const char* names[] = {"plain ", "timed ", "raced ", "gathered ", "both "};
  return names[static_cast<int>(way)] + order + ": ";
}

/// Returns the text that `play_in_one_turn` has to return: how the first waiter ends, how the second waiter at its
/// subject ends, and how the waiter at the other subject ends.
template <class S>
std::string expected(const std::string& order, Way way) {
  const auto before = [&](char a, char b) { return order.find(a) < order.find(b); };
  const bool is_asked = has(order, cancelled);
  // A sleep that is due ends before anything else in its turn runs. What is posted has its effect one turn later.
  const bool has_slept = way == Way::raced && has(order, timed_out);
  std::string by_effect;
  for (const bool in_next_turn : {false, true}) {
    for (const char what : order) {
      const bool is_posted = S::serves_later && (what == served || what == served_by_other);
      if (is_posted == in_next_turn) by_effect += what;
    }
  }
  const char decides = has_slept ? timed_out : by_effect.front();

  const auto first = [&]() -> std::string {
    // A wait that has ended keeps its result, and a request stays until the next await throws it.
    const std::string rest = is_asked ? " then asked" : " then late";
    if (has_slept && before(timed_out, aborted)) {
      return has(order, aborted) && !before(cancelled, timed_out) ? "slept then gone" : "slept" + rest;
    }
    if (has(order, aborted)) return "gone";
    switch (decides) {
      case served: return "served" + rest;
      case served_by_other: return "other" + rest;
      case destroyed: return "destroyed" + rest;
      case timed_out: return is_asked ? "asked then late" : "timed out then late";
      default: return "asked then late";
    }
  };
  const auto next = [&](char serve) -> std::string {
    if (!has(order, serve)) return "waiting";
    const bool had_left = decides != serve;
    return S::next_is_served(had_left, has(order, aborted)) ? "served" : "waiting";
  };
  const std::string behind = has(order, destroyed) ? "destroyed" : next(served);
  return label(order, way) + first() + ", " + behind + ", " + next(served_by_other);
}

/// Makes the events happen in this order in one turn, and returns how the three waiters ended.
template <class S>
Coro<std::string> play_in_one_turn(support::Fixture& fixture, std::string order, Way way) {
  auto subject = std::make_unique<S>(2);
  auto other = std::make_unique<S>(2);
  std::string first, behind, behind_other;
  Task<> task;
  std::vector<Task<>> rest;
  const auto act = [&](char what) -> Coro<> {
    co_await errand::sleep(1s);
    if (what == served) co_await subject->serve();
    if (what == served_by_other) co_await other->serve();
    if (what == cancelled) task.cancel("asked");
    if (what == aborted) task.abort();
    if (what == destroyed) subject.reset();
  };
  // Equal deadlines are due in the order in which they were set. So the tasks are started in the order of the events.
  const bool is_timed = has(order, timed_out);
  const auto start = [&] { task = fixture.add(note_ends(*subject, *other, way, is_timed ? 1s : 1h, first)); };
  if (!is_timed) start();
  for (const char what : order) {
    if (what == timed_out) {
      start();
    } else {
      rest.push_back(fixture.add(act(what)));
    }
    co_await errand::yield();
  }
  rest.push_back(fixture.add(note_ends(*subject, *other, Way::plain, 1h, behind)));
  rest.push_back(fixture.add(note_ends(*other, *subject, Way::plain, 1h, behind_other)));
  co_await pass(fixture, 2s);

  const auto state = [](const std::string& text) { return text.empty() ? "waiting" : text; };
  const std::string others = state(behind) + ", " + state(behind_other);
  CHECK((!subject || subject->settled(has(order, served))));
  CHECK(other->settled(has(order, served_by_other)));
  task.cancel("late");
  for (auto& one : rest) one.cancel();
  co_await errand::wait_all(rest);
  co_await errand::wait_all(task);
  if (task.cancelled()) first += first.empty() ? "gone" : " then gone";
  co_return label(order, way) + first + ", " + others;
}

template <class S>
Coro<> all_orders(support::Fixture& fixture) {
  const auto check = [&](std::string what, Way way) -> Coro<> {
    for (const std::string& order : orders(what)) {
      const std::string became = co_await play_in_one_turn<S>(fixture, order, way);
      CHECK(became == expected<S>(order, way));
    }
  };
  const std::vector<std::string> ends =
      S::is_shared ? std::vector<std::string>{"s"} : std::vector<std::string>{"s", "d"};
  for (const std::string& end : ends) {
    for (const Way way : {Way::plain, Way::gathered}) co_await check(end + "ca", way);
    for (const Way way : {Way::timed, Way::raced}) co_await check(end + "cat", way);
    co_await check(end + "oca", Way::both);
  }
}

/// Many tasks wait, and every second one leaves. The others must then be served in the order in which they came.
template <class S>
Coro<> crowd(support::Fixture& fixture, char leaves) {
  constexpr std::size_t count = 10'000;
  S subject(count);
  std::vector<std::size_t> came, stay;
  std::vector<Task<>> tasks;
  const auto waiter = [&](std::size_t i, Way way) -> Coro<> {
    co_await wait_and_name_end(subject, subject, way, 1s);
    came.push_back(i);
  };
  for (std::size_t i = 0; i < count; ++i) {
    tasks.push_back(fixture.add(waiter(i, leaves == timed_out && i % 2 ? Way::timed : Way::plain)));
    if (i % 2 == 0) stay.push_back(i);
  }
  co_await errand::yield();
  for (std::size_t i = 1; i < count; i += 2) {
    if (leaves == cancelled) tasks[i].cancel();
    if (leaves == aborted) tasks[i].abort();
  }
  co_await pass(fixture, 2s);
  std::size_t left = 0;
  for (std::size_t i = 1; i < count; i += 2) {
    left += leaves == timed_out ? tasks[i].exception() != nullptr : tasks[i].cancelled();
  }
  CHECK(left == count / 2);
  CHECK(came.empty());

  const std::size_t serves = S::serves(count, stay.size());
  std::vector<Task<>> servers;
  for (std::size_t i = 0; i < serves; ++i) {
    servers.push_back(fixture.add(subject.serve()));
    co_await errand::yield();
    co_await errand::yield();
  }
  co_await errand::wait_all(servers);
  co_await pass(fixture, 1s);
  CHECK((came == stay));
  CHECK(subject.settled(serves));
  for (auto& task : tasks) task.cancel();
  co_await errand::wait_all(tasks);
}

/// Many tasks wait, and one serve is made, for the first waiter or for all. Then all tasks but the last are aborted, so
/// that what they were handed goes to the last one.
template <class S>
Coro<> handed_on(support::Fixture& fixture) {
  constexpr std::size_t count = 1'000;
  S subject(count);
  std::vector<Task<std::string>> tasks;
  for (std::size_t i = 0; i < count; ++i)
    tasks.push_back(fixture.add(wait_and_name_end(subject, subject, Way::plain, 1h)));
  co_await errand::yield();
  fixture.add(subject.serve());
  co_await errand::yield();
  for (std::size_t i = 0; i + 1 < count; ++i) tasks[i].abort();
  co_await pass(fixture, 1s);
  CHECK(tasks.back().done() == S::next_is_served(false, true));
  CHECK(subject.settled(1));
  tasks.back().cancel();
  co_await errand::wait_all(tasks);
}

/// Destroys the App while tasks wait, or when one or all of them have just been served and have not resumed yet.
template <class S>
void teardown(bool is_served, bool subject_first) {
  constexpr std::array ways{Way::plain, Way::timed, Way::raced, Way::gathered, Way::both};
  auto app = std::make_unique<App>("app", S::config());
  auto subject = std::make_unique<S>(2 * ways.size());
  S other(2 * ways.size());
  const auto alive = std::make_shared<int>(0);
  const auto wait = [&](Way way, std::shared_ptr<int> begun) -> Coro<> {
    ++*begun;
    co_await wait_and_name_end(*subject, other, way, 1h);
  };
  for (const Way way : ways) {
    for (int i = 0; i < 2; ++i) app->add_task(wait(way, alive));
  }
  while (*alive < 2 * static_cast<int>(ways.size())) app->poll();
  REQUIRE(alive.use_count() == 1 + *alive);
  if (is_served) {
    app->add_task(subject->serve());
    app->poll();
  }
  if (subject_first) subject.reset();
  app.reset();
  CHECK(alive.use_count() == 1);
  CHECK((!subject || subject->settled(is_served)));
}

template <class S>
void in_app(Coro<> (*body)(support::Fixture&)) {
  support::Fixture fixture(S::config());
  fixture.app.run(body(fixture));
}

}  // namespace waiting

#define WAITING_TESTS(subject, name)                                                                              \
  TEST_CASE(name ": waiters that are cancelled disturb no other") {                                               \
    waiting::in_app<subject>([](support::Fixture& f) { return waiting::crowd<subject>(f, waiting::cancelled); }); \
  }                                                                                                               \
  TEST_CASE(name ": waiters that are aborted disturb no other") {                                                 \
    waiting::in_app<subject>([](support::Fixture& f) { return waiting::crowd<subject>(f, waiting::aborted); });   \
  }                                                                                                               \
  TEST_CASE(name ": waiters that are timed out disturb no other") {                                               \
    waiting::in_app<subject>([](support::Fixture& f) { return waiting::crowd<subject>(f, waiting::timed_out); }); \
  }                                                                                                               \
  TEST_CASE(name ": what comes first in a turn decides, and nothing that was handed over is lost") {              \
    waiting::in_app<subject>(&waiting::all_orders<subject>);                                                      \
  }                                                                                                               \
  TEST_CASE(name ": what was handed to a task that is aborted is handed on, again and again") {                   \
    waiting::in_app<subject>(&waiting::handed_on<subject>);                                                       \
  }                                                                                                               \
  TEST_CASE(name ": the App may end while tasks wait, before it and after it") {                                  \
    for (const bool is_served : {false, true}) {                                                                  \
      for (const bool subject_first : {false, true}) waiting::teardown<subject>(is_served, subject_first);        \
    }                                                                                                             \
  }
