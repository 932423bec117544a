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
    return found ? static_cast<const Entry*>(found)->task : nullptr;
  }

  /// Returns how many times a task was given a name.
  std::uint64_t added() const noexcept { return added_; }
  /// Gives the task a name. If another task has the name, that task loses it and is returned. Throws `std::bad_alloc`;
  /// nothing is changed then.
  TaskHandle add(std::string_view name, TaskBase& task) {
    TaskDetails& details = task.details();
    Names::Entry* const found = names_.find(name);
    TaskHandle old(found ? leave(static_cast<Entry&>(*found)) : nullptr);
    Entry& entry = found ? static_cast<Entry&>(*found) : make(name);
    entry.task = &task;
    ++added_;
    order_.push_back(static_cast<OrderLink&>(entry));
    if (task.done()) done_.push_back(static_cast<DoneLink&>(entry));
    details.names.push_back(static_cast<NameLink&>(entry));
    ++details.registrations;
    if (old.state()) old.state()->unregistered();
    return old;
  }

  /// Called when a registered task has ended. Its names go with the next `purge`, or at once if `purges` is true.
  ERRAND_NOINLINE void task_ended(TaskBase& task, bool purges) noexcept {
    List& names = task.details().names;
    for (Link* link = names.begin(); link != names.end();) {
      Entry& entry = static_cast<Entry&>(static_cast<NameLink&>(*link));
      link = link->next;
      if (purges) {
        erase(entry);
      } else if (!entry.DoneLink::linked()) {  // it is linked if the task got the name when it was done already
        done_.push_back(static_cast<DoneLink&>(entry));
      }
    }
  }

  /// Forgets the tasks that are done. Returns how many names that were.
  std::size_t purge() noexcept {
    std::size_t count = 0;
    for (; !done_.empty(); ++count) erase(static_cast<Entry&>(static_cast<DoneLink&>(done_.front())));
    return count;
  }

  ERRAND_COLD void clear() noexcept {
    while (!order_.empty()) erase(static_cast<Entry&>(static_cast<OrderLink&>(order_.front())));
  }

  ERRAND_COLD std::vector<Task<>> tasks() const {
    std::vector<Task<>> all;
    all.reserve(names_.size());
    for (const Link* link = order_.begin(); link != order_.end(); link = link->next) {
      all.push_back(Task<>(TaskHandle(static_cast<const Entry&>(static_cast<const OrderLink&>(*link)).task)));
    }
    return all;
  }

 private:
  struct OrderLink : Link {};  // in `order_`
  struct DoneLink : Link {};   // in `done_`, if the task is done
  struct NameLink : Link {};   // in the list of the names of its task
  struct Entry : Names::Entry, OrderLink, DoneLink, NameLink, Pooled {
    using Names::Entry::Entry;
    TaskBase* task = nullptr;
  };

  Entry& make(std::string_view name) {
    Owner<Entry> entry(new Entry(std::string(name)));
    names_.add(*entry);
    return *entry.release();
  }
  /// Takes the entry out of all lists, and returns its task. The caller then tells the task: it is `unregistered`.
  static TaskBase* leave(Entry& entry) noexcept {
    entry.OrderLink::unlink();
    if (entry.DoneLink::linked()) entry.DoneLink::unlink();
    entry.NameLink::unlink();
    return entry.task;
  }
  ERRAND_NOINLINE void erase(Entry& entry) noexcept {
    names_.remove(entry);
    TaskBase* const task = leave(entry);
    delete &entry;
    task->unregistered();  // last: it may destroy a result, and so run code of the user's
  }

  std::uint64_t added_ = 0;
  Names names_;
  List order_;
  List done_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
