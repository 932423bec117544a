// SPDX-License-Identifier: MIT
// Tests with names that were chosen on purpose so that all of them fall into one bucket of the hash table.
#include <deque>
#include <functional>
#include <memory>

#include "support.hpp"

using errand::detail::Names;

namespace {

/// Returns names whose hashes end in the same bits.
std::vector<std::string> colliding(std::size_t count) {
  constexpr std::size_t mask = 0xfff;
  const auto ends = [](const std::string& name) { return std::hash<std::string_view>()(name) & mask; };
  std::vector<std::string> names;
  const std::size_t wanted = ends("0");
  for (int i = 0; names.size() < count; ++i) {
    std::string name = std::to_string(i);
    if (ends(name) == wanted) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

TEST_CASE("names that collide are found, removed and added again, while the table grows and after it") {
  const auto names = colliding(200);
  std::deque<std::string> others;
  Names table;
  std::vector<std::unique_ptr<Names::Entry>> entries;
  const auto add = [&](const std::string& name) { table.add(*entries.emplace_back(new Names::Entry(name))); };
  for (const auto& name : names) add(name);
  CHECK(table.size() == 200);
  const auto all_found = [&](std::size_t from, std::size_t step) {
    bool found = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Names::Entry* const entry = table.find(names[i]);
      found &= (entry == entries[i].get()) == (i >= from && (i - from) % step == 0);
    }
    return found;
  };
  CHECK(all_found(0, 1));
  CHECK(table.find("none") == nullptr);
  for (std::size_t i = 0; i < names.size(); i += 2) table.remove(*entries[i]);
  CHECK(table.size() == 100);
  CHECK(all_found(1, 2));
  for (std::size_t i = 0; i < names.size(); i += 2) table.add(*entries[i]);
  CHECK(all_found(0, 1));
  // The table grows until it uses more bits of a hash than those that are the same in all names.
  for (int i = 0; i < 20'000; ++i) add(others.emplace_back("other " + std::to_string(i)));
  CHECK(all_found(0, 1));
  // An entry takes the place of another one of the same name, in a bucket or in the tree.
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto replacement = std::make_unique<Names::Entry>(names[i]);
    table.replace(*entries[i], *replacement);
    entries[i] = std::move(replacement);
  }
  CHECK(all_found(0, 1));
  CHECK(table.size() == entries.size());
  for (const auto& entry : entries) table.remove(*entry);
  CHECK(table.size() == 0);
  CHECK(table.find(names[0]) == nullptr);
}

APP_TEST("a task that loses its name to another, and gets it back under an alias, is found by each name that it has") {
  const auto names = colliding(40);
  const auto sleeper = []() -> Coro<> { co_await errand::sleep(1h); };
  std::vector<Task<>> first, second;
  for (const auto& name : names) first.push_back(app.add_task(sleeper(), name));
  for (const auto& name : names) second.push_back(app.add_task(sleeper(), name, errand::NameTaken::replace));
  bool are_right = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    are_right &= app.get_task(names[i]) == second[i] && first[i].name() == names[i];
    app.add_task(first[i], "again " + names[i]);
    app.add_task(first[i], names[i], errand::NameTaken::replace);
    are_right &= app.get_task(names[i]) == first[i] && app.get_task("again " + names[i]) == first[i];
    are_right &= second[i].name() == names[i];
  }
  CHECK(are_right);
  CHECK(app.tasks().size() == 2 * names.size());
  for (auto& task : first) task.abort();
  for (auto& task : second) task.abort();
  CHECK(app.purge_tasks() == 2 * names.size());
  CHECK_FALSE(app.find_task(names[7]));
  co_return;
}

APP_TEST("an abort without a reason has none, although a request with a reason came before") {
  auto task = app.add_task([]() -> Coro<> { co_await errand::sleep(1h); }, "asked");
  co_await errand::yield();
  co_await errand::yield();
  auto holds = app.add_task([]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await errand::sleep(1h);
  });
  co_await errand::yield();
  holds.cancel("first");
  co_await errand::yield();
  holds.abort();
  task.cancel("why");
  task.abort("because");
  const auto reason_of = [](const Task<>& ended) {
    try {
      ended.result();
    } catch (const errand::TaskCancelled& cancelled) {
      return cancelled.reason();
    }
    return std::string("not cancelled");
  };
  CHECK(reason_of(holds).empty());
  CHECK(reason_of(task) == "because");
  auto unstarted = app.add_task([]() -> Coro<> { co_return; });
  unstarted.cancel("too early");
  co_await errand::yield();
  co_await errand::yield();
  CHECK(reason_of(unstarted) == "too early");
}

APP_TEST("tasks and events whose names collide are told apart") {
  const auto names = colliding(100);
  for (const auto& name : names) app.add_task([name] { return name; }, name);
  co_await errand::yield();
  co_await errand::yield();
  bool are_right = true;
  for (const auto& name : names) are_right &= app.get_task<std::string>(name).result() == name;
  CHECK(are_right);
  CHECK(app.purge_tasks() == names.size());
  CHECK_FALSE(app.find_task(names[50]));
}
