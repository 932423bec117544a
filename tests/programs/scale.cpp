// SPDX-License-Identifier: MIT
// Combinators of many works take constant stack and linear time, however they end. Usage: scale [N [WORKLOAD]]. A
// workload has a name like "gather-cancel". Without a name all workloads are run.
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using errand::Coro;
using errand::Task;
using errand::TaskStatus;

namespace {

enum class Ending { success, failure, cancel, abort, destroy };
constexpr const char* endings[] = {"success", "failure", "cancel", "abort", "destroy"};

struct Scene {
  int count;
  Ending ending;
  std::string name;
  long alive = 0;  // works that have begun and not ended
};

void check(bool condition, const Scene& scene, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s: %s\n", scene.name.c_str(), what);
  std::exit(1);
}

struct Alive {
  explicit Alive(long& its_count) : count(its_count) { ++count; }
  ~Alive() { --count; }
  Alive(const Alive&) = delete;
  long& count;
};

/// One of the works. If one of them has to fail, the first one does.
Coro<long> work(Scene& scene, int i) {
  const Alive alive(scene.alive);
  co_await errand::yield();
  if (scene.ending == Ending::failure && i == 0) throw std::runtime_error("failed");
  if (scene.ending != Ending::success) co_await errand::sleep(1h);
  co_return i;
}
std::vector<Coro<long>> works(Scene& scene) {
  std::vector<Coro<long>> all;
  for (int i = 0; i < scene.count; ++i) all.push_back(work(scene, i));
  return all;
}
std::vector<Task<long>> tasks(Scene& scene) {
  std::vector<Task<long>> all;
  for (int i = 0; i < scene.count; ++i) all.push_back(errand::create_task(work(scene, i)));
  return all;
}

// Each of these functions returns the sum of the results that it has got.

Coro<long> gather(Scene& scene) {
  long sum = 0;
  for (const long result : co_await errand::gather(works(scene))) sum += result;
  co_return sum;
}
/// Each gather is inside the one before.
Coro<long> nest(Scene& scene, int i) {
  if (i == scene.count) co_return 0;
  const auto [mine, inner] = co_await errand::gather(work(scene, i), nest(scene, i + 1));
  co_return mine + inner;
}
Coro<long> nested(Scene& scene) { return nest(scene, 0); }
Coro<long> gather_settled(Scene& scene) {
  long sum = 0, failures = 0;
  for (const auto& outcome : co_await errand::gather_settled(works(scene))) {
    outcome.has_value() ? sum += outcome.value() : ++failures;
  }
  check(failures == (scene.ending == Ending::failure), scene, "outcomes");
  co_return sum;
}
Coro<long> race(Scene& scene) {
  const auto first = co_await errand::race(works(scene));
  check(first.index() == 0, scene, "the first");
  co_return first.value();
}
Coro<long> wait_any(Scene& scene) {
  const auto waited = co_await errand::wait_any(tasks(scene));
  check(!waited.done.empty(), scene, "the first");
  co_return 0;
}
Coro<long> sum_of(std::vector<Task<long>> all) {
  long sum = 0;
  for (const auto& task : all) {
    if (task.status() == TaskStatus::succeeded) sum += task.result();
  }
  co_return sum;
}
Coro<long> wait_all(Scene& scene) {
  auto waited = co_await errand::wait_all(tasks(scene));
  check(waited.pending.empty(), scene, "all");
  co_return co_await sum_of(std::move(waited.done));
}
Coro<long> as_completed(Scene& scene) {
  std::vector<Task<long>> all;
  auto completed = errand::as_completed(tasks(scene));
  while (auto task = co_await completed.next()) {
    check(all.empty() || task->id() > all.back().id(), scene, "the order");
    all.push_back(std::move(*task));
  }
  co_return co_await sum_of(std::move(all));
}
Coro<long> group(Scene& scene) {
  std::vector<Task<long>> all;
  const auto body = [&](errand::TaskGroup& members) -> Coro<> {
    for (int i = 0; i < scene.count; ++i) all.push_back(members.add(work(scene, i)));
    co_return;
  };
  co_await errand::TaskGroup::run(body);
  co_return co_await sum_of(std::move(all));
}

Coro<long> scope(Scene& scene) {
  std::vector<Task<long>> all;
  errand::TaskScope scope;
  for (int i = 0; i < scene.count; ++i) all.push_back(scope.add(work(scene, i)));
  co_await scope.join();
  co_return co_await sum_of(std::move(all));
}
/// If the coroutine is asked to end while it waits, it closes the scope.
Coro<long> scope_closed_on_request(Scene& scene) {
  errand::TaskScope scope;
  std::vector<Task<long>> all;
  for (int i = 0; i < scene.count; ++i) all.push_back(scope.add(work(scene, i)));
  bool is_asked = false;
  try {
    co_await scope.join();
  } catch (const errand::Cancelled&) {
    is_asked = true;
  }
  co_await scope.close();
  if (is_asked) throw errand::Cancelled();
  co_return co_await sum_of(std::move(all));
}

struct Combinator {
  const char* name;
  Coro<long> (*run)(Scene&);
  bool owns;       // ends the works when it ends itself
  bool waits_all;  // gives the results of all works
  bool fails;      // fails if a work fails
};
constexpr Combinator combinators[] = {
    {"gather", gather, true, true, true},       {"gather_settled", gather_settled, true, true, false},
    {"race", race, true, false, true},          {"wait_any", wait_any, false, false, false},
    {"wait_all", wait_all, false, true, false}, {"as_completed", as_completed, false, true, false},
    {"group", group, true, true, true},         {"nested", nested, true, true, true},
    {"scope", scope, true, true, false},        {"scope_closed_on_request", scope_closed_on_request, true, true, false},
};

Coro<> play(errand::App& app, Scene& scene, const Combinator& combinator) {
  auto task = app.add_task(combinator.run(scene));
  if (scene.ending == Ending::cancel || scene.ending == Ending::abort) {
    while (scene.alive < scene.count) co_await errand::yield();
    scene.ending == Ending::cancel ? task.cancel("why") : task.abort("why");
  }
  co_await errand::wait_all(task);
  if (combinator.owns) check(scene.alive == 0, scene, "what is owned has ended");
  if (scene.ending == Ending::success || (scene.ending == Ending::failure && !combinator.fails)) {
    const long all = scene.count * (scene.count - 1L) / 2;
    check(task.result() == (combinator.waits_all ? all : 0), scene, "the sum");
  } else {
    const auto expected = scene.ending == Ending::failure ? TaskStatus::failed : TaskStatus::cancelled;
    check(task.status() == expected, scene, "the status");
    check(task.exception() != nullptr, scene, "the error");
    if (!combinator.owns) check(scene.alive == scene.count, scene, "what is observed runs on");
  }
  co_await errand::sleep(2h);
}

void play(int count, Ending ending, const Combinator& combinator, const std::string& name) {
  errand::ManualClock clock;
  Scene scene{count, ending, name};
  long reports = 0;
  {
    errand::App app("scale", {.clock = &clock, .on_failure = [&](const errand::TaskFailure&) { ++reports; }});
    if (ending == Ending::destroy) {
      app.add_task(combinator.run(scene));
      while (scene.alive < count) app.poll();
    } else {
      app.run(play(app, scene, combinator));
      check(scene.alive == 0, scene, "all have ended");
    }
  }
  check(scene.alive == 0, scene, "all are destroyed");
  const bool is_reported =
      ending == Ending::failure && !combinator.fails && combinator.name != std::string("gather_settled");
  check(reports == is_reported, scene, "the reports");
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const std::string wanted = argc > 2 ? argv[2] : "";
  int played = 0;
  for (const Combinator& combinator : combinators) {
    for (int ending = 0; ending < 5; ++ending) {
      const std::string name = combinator.name + std::string("-") + endings[ending];
      if (!wanted.empty() && name != wanted) continue;
      play(count, static_cast<Ending>(ending), combinator, name);
      ++played;
    }
  }
  if (played == 0) std::fprintf(stderr, "no such workload: %s\n", wanted.c_str());
  std::printf("scale: %d workloads of %d, all well\n", played, count);
  return played > 0 ? 0 : 1;
}
