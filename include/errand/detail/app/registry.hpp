// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <errand/detail/base/names.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/task.hpp>

namespace errand::detail {

[[noreturn]] ERRAND_COLD inline void throw_name_in_use(std::string_view name) {
  throw TaskNameInUse(std::string(name));
}

/// The tasks of an App by their names, in the order in which the names were added. Finding, adding and removing a name
/// takes constant time (O(log n) if the names were chosen to collide).
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry() { clear(); }

  /// Returns the task of this name; null if there is none.
  TaskBase* find(std::string_view name) const noexcept {
    const Names::Entry* const found = names_.find(name);
    return found ? static_cast<const TaskName*>(found)->task : nullptr;
  }

  /// Returns how many times a task was given a name.
  std::uint64_t added() const noexcept { return added_; }
  /// Gives the task a name. If another task has the name, that task loses it and is returned. A task without a name
  /// has this one from now on. Throws `std::bad_alloc`; nothing is changed then.
  TaskHandle add(std::string_view name, TaskBase& task) {
    TaskDetails& details = task.details();
    const bool is_first = details.name.empty();
    Owner<Alias> alias;
    if (is_first) {
      details.name = std::string(name);
    } else {
      alias = Owner<Alias>(new Alias(std::string(name)));
    }
    TaskName& entry = is_first ? details.own : *alias;
    TaskName* const found = static_cast<TaskName*>(names_.find(name));
    if (found) {
      names_.replace(*found, entry);
    } else {
      try {
        names_.add(entry);
      } catch (...) {
        if (is_first) details.name.clear();
        throw;
      }
    }
    TaskHandle old(found ? leave(*found) : nullptr);
    entry.task = &task;
    ++added_;
    order_.push_back(static_cast<NameOrderLink&>(entry));
    if (task.done()) done_.push_back(static_cast<NameDoneLink&>(entry));
    if (alias) details.aliases.push_back(static_cast<AliasLink&>(*alias.release()));
    ++details.registrations;
    if (old.state()) old.state()->unregistered();
    return old;
  }

  /// Called when a registered task has ended. Its names go with the next `purge`, or at once if `purges` is true.
  ERRAND_NOINLINE void task_ended(TaskBase& task, bool purges) noexcept {
    TaskDetails& details = task.details();
    if (details.own.is_registered()) name_ended(details.own, purges);
    for (Link* link = details.aliases.begin(); link != details.aliases.end();) {
      Alias& alias = static_cast<Alias&>(static_cast<AliasLink&>(*link));
      link = link->next;
      name_ended(alias, purges);
    }
  }

  /// Forgets the tasks that are done. Returns how many names were removed.
  std::size_t purge() noexcept {
    std::size_t count = 0;
    for (; !done_.empty(); ++count) erase(static_cast<TaskName&>(static_cast<NameDoneLink&>(done_.front())));
    return count;
  }

  ERRAND_COLD void clear() noexcept {
    while (!order_.empty()) erase(static_cast<TaskName&>(static_cast<NameOrderLink&>(order_.front())));
  }

  ERRAND_COLD std::vector<Task<>> tasks() const {
    std::vector<Task<>> all;
    all.reserve(names_.size());
    for (const Link* link = order_.begin(); link != order_.end(); link = link->next) {
      all.push_back(Task<>(TaskHandle(static_cast<const TaskName&>(static_cast<const NameOrderLink&>(*link)).task)));
    }
    return all;
  }

 private:
  struct AliasLink : Link {};  // in the list of its task
  /// A name of a task that has another name of its own.
  struct Alias : TaskName, AliasLink, Pooled {
    explicit Alias(std::string its_name) : TaskName(text), text(std::move(its_name)) {}
    const std::string text;
  };

  void name_ended(TaskName& entry, bool purges) noexcept {
    if (purges) {
      erase(entry);
    } else if (!entry.NameDoneLink::linked()) {  // it is linked if the task got the name when it was done already
      done_.push_back(static_cast<NameDoneLink&>(entry));
    }
  }
  /// Takes the entry, which is not in the table any more, out of all lists, and frees it if it is an alias. Returns its
  /// task. The caller then tells the task: it is `unregistered`.
  static TaskBase* leave(TaskName& entry) noexcept {
    TaskBase* const task = entry.task;
    entry.NameOrderLink::unlink();
    if (entry.NameDoneLink::linked()) entry.NameDoneLink::unlink();
    if (&entry != &task->details().own) {
      Alias& alias = static_cast<Alias&>(entry);
      alias.AliasLink::unlink();
      delete &alias;
    }
    return task;
  }
  ERRAND_NOINLINE void erase(TaskName& entry) noexcept {
    names_.remove(entry);
    leave(entry)->unregistered();  // last: it may destroy a result, and so run code of the user's
  }

  std::uint64_t added_ = 0;
  Names names_;
  List order_;
  List done_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
