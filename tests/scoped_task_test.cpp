// SPDX-License-Identifier: MIT
#include <memory>
#include <type_traits>

#include "support.hpp"

using errand::ScopedTask;
using errand::wait_all;

static_assert(!std::is_copy_constructible_v<ScopedTask<int>> && std::is_nothrow_move_constructible_v<ScopedTask<int>>);

APP_TEST("leaving the scope destroys the task where it stands") {
  Task<int> task;
  {
    const ScopedTask scoped{add([this]() -> Coro<int> {
      const support::LogsAtEnd gone(log, "gone");
      co_return co_await nap("a", 1h);
    })};
    task = scoped.get();
    co_await errand::yield();
  }
  log("left", task.status(), app.all_tasks().size());
  co_await errand::sleep(2h);
  expect("a start ; gone ; left cancelled 1");
}

APP_TEST("an exception, a cancellation and an abort that leave the scope destroy the task too") {
  std::vector<Task<>> held;
  const auto holds = [&](bool fails) -> Coro<> {
    const ScopedTask scoped{add(after(1h))};
    held.emplace_back(scoped.get());
    if (fails) throw runtime_error("thrown");
    co_await errand::sleep(1h);
  };
  try {
    co_await holds(true);
  } catch (const runtime_error& e) {
    log(e, held[0].status());
  }
  auto cancelled = add(holds(false)), aborted = add(holds(false));
  co_await errand::sleep(1s);
  cancelled.cancel();
  aborted.abort();
  log(held[2].status());
  co_await wait_all(cancelled);
  log(held[1].status(), now());
  expect("thrown cancelled ; cancelled ; cancelled 1");
}

APP_TEST("close asks and waits for the clean-up, and gives and throws as cancel_task does") {
  const auto cleans_up = [this](std::string end) -> Coro<> {
    std::string reason;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled& cancelled) {
      reason = cancelled.reason();
      if (end == "cancelled") throw;
    }
    co_await errand::sleep(1s);
    log("asked", reason);
    if (end == "failed") throw runtime_error(end);
  };
  ScopedTask swallows{add(cleans_up("swallowed"))}, fails{add(cleans_up("failed"))};
  ScopedTask<> ends{add(cleans_up("cancelled"))}, done{add(after(0s, 1))};
  co_await errand::yield();
  auto closing = swallows.close("bye");  // has no effect until it is awaited
  co_await errand::yield();
  log(swallows->cancelling(), co_await std::move(closing));
  try {
    co_await fails.close();
  } catch (const runtime_error& e) {
    log(e);
  }
  log(co_await ends.close("why"), co_await done.close(), co_await ends.close());
  ScopedTask<> empty;
  try {
    co_await empty.close();
  } catch (const InvalidState& e) {
    log(e);
  }
  expect("asked bye ; 0 false ; asked ; failed ; true false true ; InvalidState");
}

APP_TEST("close of one that is destroyed meanwhile, and of the own task") {
  auto scoped = std::make_unique<ScopedTask<int>>(add(after(1h)));
  const auto closes = add([&]() -> Coro<bool> { co_return co_await scoped->close(); });
  co_await errand::yield();
  scoped.reset();
  log(co_await closes);
  ScopedTask<> own;
  own = ScopedTask<>(add(
      [&own, this]() -> Coro<> {
        try {
          co_await own.close();
        } catch (const InvalidState& e) {
          log(e.what());
        }
      },
      "own"));
  co_await own.get();
  expect("true ; task 'own' cannot cancel and await itself");
}

APP_TEST("what is detached runs on, and a task that is done stays as it is") {
  Task<int> detached, done;
  {
    ScopedTask scoped{add(after(5s, 1))};
    detached = scoped.detach();
    log(bool(scoped.get()), bool(scoped.detach()));
    const ScopedTask of_done{done = add(after(1s, 2))};
    co_await of_done.get();
    const ScopedTask<int> empty;
    log(bool(empty.get()));
  }
  log(done.result(), done.cancelling());
  log(co_await detached);
  expect("false false ; false ; 2 0 ; 1");
}

APP_TEST("it can be moved: only the last one ends the task, and assignment ends the task that it had") {
  const auto a = add(after(1h));
  const auto b = add(after(1h));
  {
    std::vector<ScopedTask<int>> all;
    {
      ScopedTask first{a};
      all.push_back(std::move(first));
      log(bool(first.get()));
    }
    all.emplace_back(b);
    log(a.done(), b.done());
    all[0] = std::move(all[1]);
    log(a.done(), b.done(), all[0].get() == b, bool(all[1].get()));
    auto& same = all[0];
    all[0] = std::move(same);
    log(b.done());
    all[0] = {};
    log(b.done());
  }
  co_await errand::yield();
  expect("false ; false false ; true false true false ; false ; true");
}

APP_TEST("the task is reached through it") {
  ScopedTask<> scoped{add(nap("a", 1h), "name")};
  const auto& constant = scoped;
  log(constant->name(), constant->status(), scoped->cancel("why"));
  co_await wait_all(scoped.get());
  log(scoped->status(), scoped->cancelling());
  expect("name pending true ; cancelled 1");
}

APP_TEST("a task that ends its own scope is asked to end, and one whose end is that of its scope just ends") {
  ScopedTask<int> own;
  const auto ends_its_scope = [&own, this]() -> Coro<int> {
    own = {};
    co_return co_await nap("a", 1h);
  };
  const auto asked = add(ends_its_scope);
  own = ScopedTask(asked);
  co_await wait_all(asked);
  const auto holds_itself = [&own, this]() -> Coro<int> {
    const ScopedTask self(std::move(own));
    co_return co_await nap("b", 1s);
  };
  const auto ends = add(holds_itself);
  own = ScopedTask(ends);
  co_await ends;
  auto aborted = add(holds_itself);
  own = ScopedTask(aborted);
  co_await errand::yield();
  aborted.abort();
  log(asked.status(), ends.status(), aborted.status());
  expect("a start ; a cancelled ; b start ; b end ; b start ; cancelled succeeded cancelled");
}

PLAIN_TEST("one that outlives the App, or is destroyed with it, does nothing more") {
  ScopedTask<int> outlives;
  Task<> holder;
  {
    App own;
    outlives = ScopedTask{own.add_task(nap("never", 1h))};
    holder = own.add_task([this, &own]() -> Coro<> {
      const ScopedTask scoped{own.add_task(nap("held", 1h))};
      co_await errand::sleep(1h);
    });
    ScopedTask{own.add_task(nap("unstarted", 1s))};
    own.poll();
    own.poll();
    log.clear();
  }
  log(outlives->status(), holder.status());
  expect("cancelled cancelled");
}
