// SPDX-License-Identifier: MIT
// Small programs that together use the whole library. Each is ended after every turn, and run with every allocation
// refused in turn. Nothing may leak, be destroyed twice, or be destroyed on another thread, and every App must stay
// able to work.
//
//   check [short | CASE | SCENARIO [ALLOCATION [HOW_MANY]]]
//
// Build it with -DERRAND_KEEP_BLOCKS=0, so that every block of the library is an allocation, and with sanitizers.
#include <algorithm>
#include <cstring>
#include <iostream>
#include <limits>
#include <streambuf>

#include "cases.hpp"
#include "io.hpp"
#include "lifecycle.hpp"
#include "many.hpp"
#include "primitives.hpp"
#include "tasks.hpp"
#include "threads.hpp"

namespace scenarios {
namespace {

constexpr long to_the_end = std::numeric_limits<long>::max();

/// Counts the lines on std::cerr. The App writes there if it can report an error nowhere else.
class CountedLines : public std::streambuf {
 public:
  std::atomic<int> lines = 0;  // atomic, because several workers may write

 protected:
  int_type overflow(int_type c) override {
    lines += c == '\n';
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize n) override {
    lines += static_cast<int>(std::count(text, text + n, '\n'));
    return n;
  }
};
CountedLines lines_on_cerr;

// Describes the current pass. It is printed if the program ends inside this pass.
const char* scenario = "";
const char* kind = "";
long where = 0, until = 0;

void say_where() { std::printf("FAILED %s: %s %ld .. %ld\n", scenario, kind, where, until); }

struct Figures {
  int cases = 0;
  int scenarios = 0;
  long turns = 0, allocations = 0, refused = 0;
  bool failed = false;
} figures;

long open_descriptors() {
  long count = 0;
  for (int fd = 0; fd < 64; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
  return count;
}

/// Makes one pass over a scenario, and checks that nothing of it is left afterwards. `first` is the App or the shared
/// objects.
template <class Pass>
void pass(const char* what, const Scenario& of, long from, long to, DestroyedFirst first, Pass its_pass) {
  kind = what;
  where = from;
  until = to;
  complaints = 0;
  lines_on_cerr.lines = 0;
  Tracked::count = 0;
  const long blocks = memory::live;
  const long descriptors = open_descriptors();
  {
    World world(of.options.has_threads, of.options.has_io);
    its_pass(world);
    if (first == DestroyedFirst::kept) world.end_kept();
    world.end_app();
    world.end_kept();
    memory::refuse_none();
    const std::string fault = world.observer.checks().fault();
    if (!fault.empty()) complain(fault.c_str());
  }
  if (Tracked::count != 0) complain("objects are left, or were destroyed too often");
  if (!ERRAND_KEEP_BLOCKS && memory::live != blocks) complain("memory is left");
  if (open_descriptors() != descriptors) complain("descriptors are left open, or were closed twice");
  if (complaints == 0) return;
  figures.failed = true;
  say_where();
}

/// Returns what the passes over the scenario destroy first: the App, the shared objects, or each of them in turn.
std::vector<DestroyedFirst> destroyed_first(const Scenario& of) {
  if (of.options.destroyed_first == DestroyedFirst::either) return {DestroyedFirst::app, DestroyedFirst::kept};
  return {of.options.destroyed_first};
}

/// Polls the App until the run is over or throws, but at most `most` times. Returns the number of turns.
long turns(const Scenario& of, World& world, long most) {
  for (long n = 0; n < most; ++n) {
    try {
      world.look_for_input();
      if (!world.app().poll()) return n;
    } catch (const std::exception&) {
      world.count_error();
      return n;
    }
    if (n == 300 && !of.options.has_threads) world.app().stop();
    if (of.options.has_threads) std::this_thread::sleep_for(50us);
    if (n == 2000) {
      complain("it never ends");
      return n;
    }
  }
  return most;
}

/// Ends the App after every number of turns, both with memory and without.
void tear_down(const Scenario& of) {
  for (const DestroyedFirst first : destroyed_first(of)) {
    for (const bool starved : {false, true}) {
      bool is_over = false;
      for (long n = 0; !is_over; ++n) {
        pass(starved ? "torn down without memory after turn" : "torn down after turn", of, n, n, first,
             [&](World& world) {
               world.is_watched = n % 2 != 0;
               world.make_app();
               of.build(world);
               is_over = turns(of, world, n) < n || n > 400;
               if (starved) memory::refuse(1, to_the_end);
             });
        ++figures.turns;
      }
    }
  }
}

Coro<int> probe(App& app) {
  const Tracked local;
  const auto task = app.add_task(give({}, 7, 0s), "probe");
  co_return co_await task;
}

/// Called after a lack of memory. Checks that every name still belongs to a task, and that the App works.
void check_usable(const Scenario& of, World& world) {
  App& app = world.app();
  for (const char* name : names) {
    if (const auto task = app.find_task(name)) {
      (void)task.status();
      if (task.name().empty()) complain("a task has lost its name");
    }
  }
  for (const Task<>& task : app.tasks()) {
    bool found = false;
    for (const char* name : names) found |= app.find_task(name) == task;
    if (!found) complain("a task is registered under no name");
  }
  try {
    if (app.run(probe(app)) != 7) complain("the App does not work any more");
  } catch (const std::exception& error) {
    if (of.options.fails) return;
    complain("the App does not run any more:");
    complain(error.what());
  }
  if (!app.all_tasks().empty()) complain("tasks are left after a run");
}

/// Refuses the allocations from number `from` to number `to`. Returns false if none was refused.
bool starve(const Scenario& of, long from, long to, bool by_host, DestroyedFirst first) {
  bool refused = false;
  pass(by_host ? "polled, without allocations" : "without allocations", of, from, to, first, [&](World& world) {
    bool built = false;
    world.is_watched = by_host;
    memory::refuse(from, to);
    try {
      world.make_app();
      of.build(world);
      built = true;
    } catch (const std::bad_alloc&) {
      world.count_error();
    }
    if (built) {
      try {
        if (by_host) {
          turns(of, world, to_the_end);
        } else if (of.options.run) {
          of.options.run(world);
        } else {
          world.app().run();
        }
      } catch (const std::exception&) {
        world.count_error();
      }
    }
    refused = memory::refused > 0;
    figures.refused += memory::refused;
    if (world.began && !world.app().all_tasks().empty()) complain("tasks are left after the run");
    if (to == to_the_end) return;  // the App is destroyed without memory, too
    memory::refuse_none();
    if (!world.has_app()) return;
    check_usable(of, world);
    if (first == DestroyedFirst::kept) world.end_kept();
    world.end_app();  // reports the failures that nobody has looked at
    const bool is_told = world.out_of_memory > 0 || lines_on_cerr.lines > 0 ||
                         world.observer.checks().lost_texts() > 0 || world.observer.trace_has_lost_events();
    if (refused && to == from && !is_told) {
      if (!of.options.may_be_quiet) complain("nobody was told of the lack of memory");
    }
  });
  return refused;
}

void starve_all(const Scenario& of, bool complete) {
  const long windows[] = {1, 2, 5, to_the_end};
  for (const DestroyedFirst first : destroyed_first(of)) {
    for (const bool by_host : {false, true}) {
      if (by_host && of.options.run) continue;
      for (const long window : windows) {
        if (!complete && (by_host || first != destroyed_first(of).front()) && window != 1) continue;
        long k = 1;
        while (starve(of, k, window == to_the_end ? to_the_end : k + window - 1, by_host, first)) ++k;
        if (window == 1 && !by_host && first == destroyed_first(of).front()) figures.allocations += k - 1;
      }
    }
  }
}

const Scenario all[] = {
    {"kinds_of_work", &kinds_of_work},
    {"taken_names", &taken_names},
    {"cancelled_tasks", &cancelled_tasks, {.may_be_quiet = true}},
    {"aborted_tasks", &aborted_tasks},
    {"failures", &failures},
    {"callbacks", &callbacks},
    {"results", &results},
    {"nested", &nested, {.may_be_quiet = true}},
    {"shut_down", &shut_down},
    {"tables_and_lists", &tables_and_lists, {.may_be_quiet = true}},
    {"listeners", &listeners},
    {"failing_start", &failing_start, {.fails = true}},
    {"failing_stop", &failing_stop, {.fails = true}},
    {"tasks_that_do_not_end", &tasks_that_do_not_end},
    {"standing_start", &standing_start, {.fails = true}},
    {"deadlocked", &deadlocked, {.fails = true, .run = &run_to_deadlock}},
    {"has_main", &has_main, {.run = &run_main}},
    {"signals", &signals},
    {"failing_handler", &failing_handler},
    {"gathers", &gathers, {.may_be_quiet = true}},
    {"settled", &settled, {.may_be_quiet = true}},
    {"races", &races, {.destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"observers", &observers, {.may_be_quiet = true}},
    {"groups", &groups},
    {"cancelled_groups", &cancelled_groups, {.may_be_quiet = true}},
    {"scopes", &scopes, {.may_be_quiet = true}},
    {"cleanups", &cleanups, {.may_be_quiet = true}},
    {"timeouts", &timeouts, {.destroyed_first = DestroyedFirst::either}},
    {"items", &items, {.may_be_quiet = true}},
    {"attempts", &attempts, {.may_be_quiet = true}},
    {"moved_timeouts", &moved_timeouts},
    {"shared_timeouts", &shared_timeouts, {.destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"generators", &generators, {.may_be_quiet = true}},
    {"meetings", &meetings, {.destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"permits", &permits, {.may_be_quiet = true}},
    {"bounded_queue", &bounded_queue, {.destroyed_first = DestroyedFirst::either}},
    {"unbounded_queue", &unbounded_queue, {.destroyed_first = DestroyedFirst::either}},
    {"subscriptions", &subscriptions, {.destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"watches", &watches, {.destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"locals", &locals, {.may_be_quiet = true}},
    {"futures", &futures, {.destroyed_first = DestroyedFirst::either}},
    {"times", &times},
    {"io", &io, {.has_io = true, .destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"crowded_sleep", &crowded<Crowd::sleep>},
    {"crowded_callback", &crowded<Crowd::callback>},
    {"crowded_wait_for", &crowded<Crowd::wait_for>},
    {"crowded_event", &crowded<Crowd::event>},
    {"crowded_wait_any", &crowded<Crowd::wait_any>},
    {"crowded_interval", &crowded<Crowd::interval>},
    {"foreign", &foreign, {.has_threads = true, .destroyed_first = DestroyedFirst::either, .may_be_quiet = true}},
    {"scoped_calls", &scoped_calls, {.has_threads = true, .may_be_quiet = true}},
    {"thread_calls", &thread_calls, {.has_threads = true, .may_be_quiet = true}},
    {"submitted", &submitted, {.has_threads = true, .destroyed_first = DestroyedFirst::kept, .may_be_quiet = true}},
    {"shared_future", &shared_future, {.has_threads = true, .destroyed_first = DestroyedFirst::either}},
    {"workers", &workers, {.has_threads = true, .run = &run_workers}},
};

/// Checks the cases, each with an App of its own. If `only` is given, checks the cases whose names begin with it.
void check_cases(const char* only) {
  static const Scenario none = {"", nullptr};
  for (const Case& one : cases) {
    if (only && std::strncmp(only, one.name, std::strlen(only)) != 0) continue;
    scenario = one.name;
    pass("case", none, 0, 0, DestroyedFirst::app, [&one](World& world) {
      world.make_app();
      one.check(world.app(), world);
    });
    ++figures.cases;
  }
}

int check(int argc, char** argv) {
  const bool is_short = argc > 1 && std::strcmp(argv[1], "short") == 0;
  const char* const only = argc > 1 && !is_short ? argv[1] : nullptr;
  std::streambuf* const shown = std::cerr.rdbuf(&lines_on_cerr);
  std::set_terminate([] {
    say_where();
    std::fflush(stdout);
    std::abort();
  });
  check_cases(only);
  for (const Scenario& of : all) {
    if (only && std::strcmp(only, of.name) != 0) continue;
    ++figures.scenarios;
    scenario = of.name;
    if (argc > 2) {
      const long from = std::atol(argv[2]), count = argc > 3 ? std::atol(argv[3]) : 1;
      starve(of, from, count > 0 ? from + count - 1 : to_the_end, argc > 4, destroyed_first(of).front());
      continue;
    }
    tear_down(of);
    starve_all(of, !is_short);
  }
  std::cerr.rdbuf(shown);
  std::printf("%d cases; %d scenarios: torn down at %ld steps, starved at each of %ld allocations, %ld times in all\n",
              figures.cases, figures.scenarios, figures.turns, figures.allocations, figures.refused);
  return figures.failed ? 1 : 0;
}

}  // namespace
}  // namespace scenarios

int main(int argc, char** argv) { return scenarios::check(argc, argv); }
