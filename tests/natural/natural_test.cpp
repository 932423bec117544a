// SPDX-License-Identifier: MIT
// Runs each program to its end. Then runs it many times more, and interrupts it after each turn of its loop, in each
// way: it is stopped, cancelled or aborted, or its App is destroyed. In all cases all objects of the program must be
// gone at the end, none may have been used after its end, and only the program's own failures may be reported.
// AddressSanitizer finds most of the errors.
#include <algorithm>
#include <memory>
#include <thread>

#include "harness.hpp"

namespace natural {
namespace {

constexpr const char* reason = "the user left";
constexpr int too_many = 2000;  // more turns than any run needs

/// A program that runs on an App of its own.
class Run {
 public:
  explicit Run(const Program& program) : program_(program) {
    errand::AppConfig config;
    if (!program.is_timed_by_system) config.clock = &clock_;
    config.max_threads = 4;  // small, because some thousand Apps run
    config.on_failure = [this](const errand::TaskFailure& failure) { reports.emplace_back(failure.what()); };
    app = std::make_unique<App>("app", config);
    if (program.prepare) program.prepare(*app, log);
  }
  Run(const Run&) = delete;

  /// Lets `step` run main as `App::run(main)` does.
  void start() {
    app->after_server_start([this] {
      main = app->add_task(run_main(), "main");
      main.add_done_callback([this](const Task<>&) {
        if (stops_with_main) app->stop();
      });
    });
  }
  /// Makes one turn, if something is ready. Returns false when the run is over.
  bool step() {
    if (is_over_) return false;
    wait_until_ready();
    return turn();
  }
  /// Makes one turn in any case.
  bool turn() {
    is_over_ = is_over_ || !app->poll();
    return !is_over_;
  }
  /// Makes so many turns. Returns false if the run is over earlier.
  bool steps(int count) {
    for (int i = 0; i < count; ++i) {
      if (!step()) return false;
    }
    return true;
  }
  /// Makes turns until the run is over, and returns their number. Fails if there are too many.
  int finish() {
    int count = 1;
    while (step() && count < too_many) ++count;
    CHECK(count < too_many);
    return count;
  }
  /// Runs the same App once more, with a second main beside that of `start`.
  void run_again() {
    try {
      app->run(program_.main(*app, log));
    } catch (const std::exception&) {  // objects that the first run has left may be in the way
    }
  }
  /// Returns what() of the exception that main has thrown, or an empty text if main has succeeded.
  std::string error() const {
    if (!main) return {};
    try {
      main.result();
    } catch (const std::exception& e) {
      return e.what();
    }
    return {};
  }

 private:
  errand::ManualClock clock_;
  const Program& program_;
  bool is_over_ = false;

 public:
  Log log;
  std::vector<std::string> reports;
  std::unique_ptr<App> app;
  Task<> main;  // empty until the start listeners have ended
  bool stops_with_main = true;
  std::string log_of_main;  // the log at the moment when main returned or threw

 private:
  Coro<> run_main() {
    try {
      co_await program_.main(*app, log);
    } catch (...) {
      log_of_main = log.text();
      throw;
    }
    log_of_main = log.text();
  }
  /// Waits for the threads, and for the time if the clock is the system's. A ManualClock moves inside `poll`, unless a
  /// thread call is under way. If nothing can wake a program any more, the number of its turns shows it.
  void wait_until_ready() const {
    if (!program_.has_threads && !program_.is_timed_by_system) return;
    for (int i = 0; i < 10000; ++i) {
      const auto deadline = app->next_deadline();
      if (deadline && *deadline <= app->now()) break;
      // On Windows a sleep may end too early, so that the turns were over before the threads.
      const auto end = std::chrono::steady_clock::now() + 100us;
      while (std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(100us);
      if (deadline && !program_.is_timed_by_system) break;
    }
  }
};

void check_objects() {
  CHECK(Counted::alive == 0);
  CHECK(Counted::misused == 0);
  Counted::alive = Counted::misused = 0;
}

void run_to_its_end(const Program& program) {
  INFO("by run");
  {
    Run run(program);
    std::string error;
    try {
      run.app->run(program.main(*run.app, run.log));
    } catch (const std::exception& e) {
      error = e.what();
    }
    CHECK(error == program.error);
    CHECK(run.log.text() == program.log);
    CHECK(run.reports == program.reports);
  }
  check_objects();
}

/// The measurements of a program that nothing has interrupted.
struct Whole {
  int turns = 0;
  std::string log_of_main;
};

Whole poll_to_its_end(const Program& program) {
  INFO("by poll");
  Whole whole;
  {
    Run run(program);
    run.start();
    whole.turns = run.finish();
    CHECK(run.error() == program.error);
    CHECK(run.log.text() == program.log);
    CHECK(run.reports == program.reports);
    whole.log_of_main = run.log_of_main;
  }
  check_objects();
  return whole;
}

/// Calls `end` with each task except main. Main may wait for ever then, so the App is stopped afterwards.
template <class F>
void end_others(Run& run, F end) {
  for (Task<> task : run.app->all_tasks()) {
    if (task != run.main) end(task);
  }
  for (int i = 0; i < 10; ++i) run.turn();
  run.app->stop();
}

/// One way to interrupt a program. When `interrupt` is called, main has begun, and may have ended.
struct Way {
  const char* name;
  void (*interrupt)(Run&);
  bool is_for_main = true;
};

const Way ways[] = {
    {"stopped", [](Run& run) { run.app->stop(); }},
    {"cancelled", [](Run& run) { run.main.cancel(reason); }},
    {"aborted", [](Run& run) { run.main.abort(reason); }},
    {"destroyed", [](Run& run) { run.app.reset(); }},
    {"stopped, and destroyed in its clean-up",
     [](Run& run) {
       run.app->stop();
       run.steps(2);
       run.app.reset();
     }},
    {"cancelled, and again in its clean-up",
     [](Run& run) {
       run.main.cancel(reason);
       run.step();
       run.main.cancel("again");
     }},
    {"cancelled, and aborted in its clean-up",
     [](Run& run) {
       run.main.cancel(reason);
       run.step();
       run.main.abort();
     }},
    {"aborted, and destroyed",
     [](Run& run) {
       run.main.abort(reason);
       run.app.reset();
     }},
    {"stopped by a callback", [](Run& run) { run.app->call_soon([&run] { run.app->stop(); }); }},
    {"cancelled by a callback", [](Run& run) { run.app->call_soon([&run] { run.main.cancel(reason); }); }},
    {"aborted by a callback", [](Run& run) { run.app->call_soon([&run] { run.main.abort(reason); }); }},
    {"cancelled, in an App that runs on",
     [](Run& run) {
       run.stops_with_main = false;
       run.main.cancel(reason);
       for (int i = 0; i < 40; ++i) run.turn();
       run.app->stop();
     }},
    {"aborted, in an App that runs on",
     [](Run& run) {
       run.stops_with_main = false;
       run.main.abort(reason);
       for (int i = 0; i < 40; ++i) run.turn();
       run.app->stop();
     }},
    {"stopped, and run again",
     [](Run& run) {
       run.app->stop();
       run.finish();
       run.run_again();
     },
     false},
    {"robbed of its other tasks by cancel",
     [](Run& run) { end_others(run, [](Task<>& task) { task.cancel(reason); }); }, false},
    {"robbed of its other tasks by abort", [](Run& run) { end_others(run, [](Task<>& task) { task.abort(reason); }); },
     false},
};

/// Checks that an interrupted main was cancelled. If main had nothing left to wait for, it may also have ended as if
/// nothing had interrupted it.
void check_end_of_main(const Program& program, const Whole& whole, const Run& run, bool was_asked) {
  if (!run.main) return;
  REQUIRE(run.main.done());
  if (!run.main.cancelled()) {
    CHECK(run.error() == program.error);
    CHECK((run.log_of_main == whole.log_of_main || run.main.status() == program.if_cancelled));
  } else if (was_asked) {
    try {
      run.main.result();
    } catch (const TaskCancelled& e) {
      CHECK(e.reason() == reason);
    }
  }
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// Interrupts the program after so many turns. Returns false if the program has ended earlier.
bool interrupt(const Program& program, const Whole& whole, const Way& way, int turns) {
  INFO(way.name << " after " << turns << " turns");
  bool goes_on = false;
  {
    Run run(program);
    run.start();
    goes_on = run.steps(turns);
    const bool was_asked = run.main && way.name == std::string("cancelled");
    if (goes_on) {
      if (run.main || way.name == std::string("destroyed")) {
        way.interrupt(run);
      } else {
        run.app->stop();
      }
    }
    if (run.app) run.finish();
    INFO("log: " << run.log.text());
    if (way.is_for_main) check_end_of_main(program, whole, run, was_asked);
    run.app.reset();
    if (!way.is_for_main) run.reports.clear();  // main may fail because the other tasks have ended
    for (const std::string& report : run.reports) {
      INFO("reported: " << report);
      CHECK((contains(program.reports, report) || contains(program.lost, report) || report == program.error));
    }
  }
  check_objects();
  return goes_on;
}

}  // namespace

void check(const Program& program) {
  run_to_its_end(program);
  const Whole whole = poll_to_its_end(program);
  for (const Way& way : ways) {
    for (int turns = 0; turns <= whole.turns && interrupt(program, whole, way, turns); ++turns) {
    }
  }
}

}  // namespace natural
