// SPDX-License-Identifier: MIT
// Tests of coroutines that have no local variables and await in a condition. GCC 12 lays out the frames of such
// coroutines in another way, see detail/coro/skewed_frame.hpp. So the coroutines under test must stay without local
// variables.
#include "combinators.hpp"

using errand::Event;
using errand::Queue;

namespace {

Coro<int> in_if(Queue<int>& queue) {
  if (co_await queue.get() == 1) co_return 10;
  co_return 20;
}
Coro<int> in_while(Queue<int>& queue) {
  while (co_await queue.get() != 1) continue;
  co_return 10;
}
Coro<int> in_switch(Queue<int>& queue) {
  switch (co_await queue.get()) {
    case 1: co_return 10;
    case 2: co_return 20;
    default: co_return 30;
  }
}
Coro<> gives_nothing(Queue<int>& queue, support::Log& log) {
  if (co_await queue.get() == 1) log("one");
}
Coro<std::string> gives_text(Queue<int>& queue, std::string text) {
  if (co_await queue.get() == 1) co_return text;
  co_return "other";
}
Coro<int> compares(Queue<int>& queue) {
  if (co_await queue.get() < co_await queue.get()) co_return 10;
  co_return 20;
}
Coro<int> nested(Queue<int>& queue) {
  if (co_await in_if(queue) == 10) co_return 1;
  co_return 2;
}
errand::AsyncGenerator<int> generates(Queue<int>& queue) {
  while (co_await queue.get() > 0) co_yield 1;
}
Coro<int> fails(Queue<int>& queue) {
  if (co_await queue.get() == 1) throw runtime_error("one");
  co_return 20;
}

class Member {
 public:
  explicit Member(Queue<int>& queue) : queue_(queue) {}
  Coro<int> in_if() {
    if (co_await queue_.get() == 1) co_return 10;
    co_return 20;
  }
  Coro<int> operator()() const {
    while (co_await queue_.get() != 1) continue;
    co_return 10;
  }

 private:
  Queue<int>& queue_;
};

using Function = Coro<int> (*)(Queue<int>&);
constexpr Function functions[] = {in_if, in_while, in_switch, compares, nested, fails};

Coro<std::string> outcome(Coro<int> work) {
  std::string text;
  try {
    text = std::to_string(co_await std::move(work));
  } catch (const runtime_error& e) {
    text = e.what();
  } catch (const Cancelled& e) {
    text = "Cancelled " + e.reason();
  }
  co_return text;
}

}  // namespace

APP_TEST("a coroutine without local variables may await in a condition: as a Coro, a task, and a branch") {
  for (const bool is_early : {true, false}) {
    for (const Function function : functions) {
      Queue<int> queue;
      const auto fill = [&] {
        for (int i = 0; i < 8; ++i) queue.try_put(1);
      };
      if (is_early) fill();
      if (!is_early) later(1s, fill);
      const std::string direct = co_await outcome(function(queue));
      const auto task = add(outcome(function(queue)));
      const std::string as_task = co_await task;
      const auto own_task = add(function(queue));
      co_await errand::wait_all(own_task);
      const auto timed = co_await outcome(errand::wait_for(function(queue), 1h));
      log(direct, as_task == direct, timed == direct, own_task.done());
      queue.close();
    }
  }
  expect(
      "10 true true true ; 10 true true true ; 10 true true true ; 20 true true true ; 1 true true true ; "
      "one true true true ; 10 true true true ; 10 true true true ; 10 true true true ; 20 true true true ; "
      "1 true true true ; one true true true",
      {"one", "one"});  // the failures of the tasks that nobody looked at
}

APP_TEST("members, lambdas and generators without local variables may await in a condition") {
  Queue<int> queue;
  later(1s, [&] {
    for (const int item : {1, 2, 1, 1, 3, 2, 0}) queue.try_put(item);
  });
  Member member(queue);
  const int of_member = co_await member.in_if();
  const int of_callable = co_await add(member);
  const auto lambda = [&]() -> Coro<> {
    if (co_await queue.get() == 1) log("lambda");
  };
  co_await add(lambda);
  int values = 0;
  auto generator = generates(queue);
  while (co_await generator.next()) ++values;
  log(of_member, of_callable, values);
  later(1s, [&] {
    for (const int item : {1, 1}) queue.try_put(item);
  });
  co_await gives_nothing(queue, log);
  log(co_await gives_text(queue, std::string(100, 'x')) == std::string(100, 'x'));
  expect("lambda ; 10 10 2 ; one ; true");
}

APP_TEST("a coroutine without local variables is dropped, cancelled, aborted and destroyed like any other") {
  Queue<int> queue;
  const auto alive = std::make_shared<int>(0);
  const auto holds = [](Queue<int>& of, std::shared_ptr<int>) -> Coro<int> {
    if (co_await of.get() == 1) co_return 10;
    co_return 20;
  };
  (void)holds(queue, alive).get();  // dropped before it starts
  log(alive.use_count());
  auto task = add(holds(queue, alive));
  task.cancel();
  co_await errand::wait_all(task);
  log(task.cancelled(), alive.use_count());
  task = add(holds(queue, alive));
  co_await errand::yield();
  log(alive.use_count());
  task.cancel("why");
  co_await errand::wait_all(task);
  log(task.cancelled(), alive.use_count());
  for (const bool has_begun : {false, true}) {
    task = add(holds(queue, alive));
    if (has_begun) co_await errand::yield();
    task.abort();
    log(task.cancelled(), alive.use_count());
  }
  for (const Function function : functions) {
    auto asked = add(outcome(function(queue)));
    co_await errand::yield();
    asked.cancel("why");
    log(co_await asked);
  }
  const auto first = co_await errand::race(holds(queue, alive), after(1s, 1));
  log(first.index(), alive.use_count());
  App other;
  other.add_task(holds(queue, alive));
  co_await errand::yield();
  log(alive.use_count());
  expect(
      "1 ; true 1 ; 2 ; true 1 ; true 1 ; true 1 ; Cancelled why ; Cancelled why ; Cancelled why ; Cancelled why ; "
      "Cancelled why ; Cancelled why ; 1 1 ; 2");
}
