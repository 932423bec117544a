// SPDX-License-Identifier: MIT
// Tests with names that were chosen on purpose so that all of them fall into one bucket of the hash table.
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
  for (int i = 0; i < 20'000; ++i) add("other " + std::to_string(i));
  CHECK(all_found(0, 1));
  for (const auto& entry : entries) table.remove(*entry);
  CHECK(table.size() == 0);
  CHECK(table.find(names[0]) == nullptr);
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
