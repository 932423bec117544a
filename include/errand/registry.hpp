// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <errand/task.hpp>

namespace errand {

/// What `App::add_task` does with a name whose task is still pending. The name of a task that is done is free.
enum class NameTaken {
  fail,     ///< throws `TaskNameInUse`; the new work is destroyed unrun
  replace,  ///< takes the name from the old task, which runs on without it
  keep,     ///< returns the old task; the new work is destroyed unrun
  cancel,   ///< cancels the old task, and takes its name
};

namespace detail {

[[noreturn]] ERRAND_COLD inline void throw_name_in_use(std::string_view name) {
  throw TaskNameInUse(std::string(name));
}

/// The tasks of an App by their names. Looks up by `string_view`, in constant time as all that is here; keeps the order
/// in which names were added.
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry() { clear(); }

  /// The task of this name; null where there is none.
  TaskBase* find(std::string_view name) const noexcept {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : found->second.task;
  }

  /// Gives the task a name, which is taken from the task that has it. Throws `std::bad_alloc`; nothing is changed then.
  void add(std::string_view name, TaskBase& task) {
    TaskDetails& details = task.details();
    auto [place, is_new] = entries_.try_emplace(std::string(name));
    Entry& entry = place->second;
    TaskBase* const old = is_new ? nullptr : leave(entry);
    entry.name = &place->first;
    entry.task = &task;
    order_.push_back(static_cast<OrderLink&>(entry));
    if (task.done()) done_.push_back(static_cast<DoneLink&>(entry));
    details.names.push_back(static_cast<NameLink&>(entry));
    ++details.registrations;
    if (old) old->unregistered();
  }

  /// A registered task has ended: its names are to go with the next `purge`, or at once.
  void ended(TaskBase& task, bool purge_now) noexcept {
    List& names = task.details().names;
    for (Link* link = names.begin(); link != names.end();) {
      Entry& entry = static_cast<Entry&>(static_cast<NameLink&>(*link));
      link = link->next;
      if (purge_now) {
        erase(entry);
      } else {
        done_.push_back(static_cast<DoneLink&>(entry));
      }
    }
  }

  /// Forgets the tasks that are done; how many names that were.
  std::size_t purge() noexcept {
    std::size_t count = 0;
    for (; !done_.empty(); ++count) erase(static_cast<Entry&>(static_cast<DoneLink&>(done_.front())));
    return count;
  }

  void clear() noexcept {
    while (!order_.empty()) erase(static_cast<Entry&>(static_cast<OrderLink&>(order_.front())));
  }

  std::vector<Task<>> tasks() const {
    std::vector<Task<>> all;
    all.reserve(entries_.size());
    for (const Link* link = order_.begin(); link != order_.end(); link = link->next) {
      all.push_back(Task<>(TaskHandle(static_cast<const Entry&>(static_cast<const OrderLink&>(*link)).task)));
    }
    return all;
  }

 private:
  struct OrderLink : Link {};  // among all
  struct DoneLink : Link {};   // among those whose task is done
  struct NameLink : Link {};   // among the names of its task
  struct Entry : OrderLink, DoneLink, NameLink {
    const std::string* name = nullptr;
    TaskBase* task = nullptr;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>()(name); }
  };

  /// Takes the entry out of all lists; its task is still to be told.
  static TaskBase* leave(Entry& entry) noexcept {
    entry.OrderLink::unlink();
    if (entry.DoneLink::linked()) entry.DoneLink::unlink();
    entry.NameLink::unlink();
    return entry.task;
  }
  void erase(Entry& entry) noexcept {
    const auto node = entries_.extract(entries_.find(*entry.name));
    leave(entry)->unregistered();  // may destroy a result, and so run code of the user's
  }

  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  List order_;
  List done_;
};

}  // namespace detail

}  // namespace errand
