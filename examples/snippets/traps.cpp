// SPDX-License-Identifier: MIT
// Code that compilers and the language make easy to get wrong, written correctly.
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

errand::Coro<int> load(int n) {
  co_await errand::sleep(1s);
  if (n < 0) throw std::runtime_error("negative");
  co_return n;
}

errand::Coro<> save(std::string what) {
  co_await errand::sleep(1s);
  std::cout << "saved " << what << '\n';
}

errand::Coro<> named_lambda(errand::App& app) {
  const std::string text = "a document";
  // [named_lambda]
  const auto work = [text]() -> errand::Coro<> { co_await save(text); };  // a lambda with captures gets a name first,
  co_await errand::finally(work, [] { std::cout << "closed\n"; });        // not inside the awaited expression

  auto task = app.add_task([text]() -> errand::Coro<> { co_await save(text); });
  co_await task;
  // [named_lambda]
}

struct Job {
  int id;
  std::string kind;
};

errand::Coro<> named_aggregate(errand::App&) {
  errand::Queue<Job> jobs;
  // [named_aggregate]
  Job job{7, "mail"};  // not: co_await jobs.put(Job{7, "mail"})
  co_await jobs.put(std::move(job));
  // [named_aggregate]
  const Job first = co_await jobs.get();
  std::cout << "job " << first.id << ": " << first.kind << '\n';
}

errand::Coro<> own_statement(errand::App&) {
  const bool fresh = true;
  // [own_statement]
  int n = 0;
  if (fresh) n = co_await load(7);  // not: fresh ? co_await load(7) : 0
  const bool loaded = co_await load(1) == 1;
  if (fresh && loaded) std::cout << n << '\n';  // not: fresh && co_await load(1) == 1
  // [own_statement]
}

errand::Coro<> outside_the_catch(errand::App&) {
  // [outside_the_catch]
  std::string failure;
  try {
    co_await load(-1);
  } catch (const std::exception& error) {
    failure = error.what();  // no co_await, co_yield or co_return here
  }
  if (!failure.empty()) co_await save("the log: " + failure);
  // [outside_the_catch]
}

errand::Coro<> lifetime(errand::App& app) {
  // [lifetime]
  const std::string who = "me";
  app.add_task([who]() -> errand::Coro<> { co_await save("for " + who); });  // the App keeps the lambda

  const auto make = [who]() -> errand::Coro<> { co_await save("by " + who); };
  co_await make();  // called directly: the lambda must outlive its coroutine, so it has a name
  // [lifetime]
}

errand::Coro<> catch_all(errand::App& app) {
  // [catch_all]
  auto task = app.add_task([]() -> errand::Coro<> {
    try {
      co_await errand::sleep(24h);
    } catch (const std::exception&) {  // does not catch Cancelled, which is no std::exception
    } catch (...) {                    // catches Cancelled, so throw it again
      std::cout << "cleaned up\n";
      throw;
    }
  });
  // [catch_all]
  co_await errand::yield();
  task.cancel();
  co_await errand::wait_all(task);
}

errand::Coro<> variadic(errand::App& app) {
  auto a = app.add_task(load(1));
  auto b = app.add_task(load(2));
  // [variadic]
  auto waited = co_await errand::wait_all(a, b);  // not: wait_all({a, b})
  // [variadic]
  std::cout << waited.done.size() << '\n';
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  for (const auto part :
       {named_lambda, named_aggregate, own_statement, outside_the_catch, lifetime, catch_all, variadic}) {
    app.run(part(app));
  }
}
