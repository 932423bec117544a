// SPDX-License-Identifier: MIT
#pragma once

#include <errand/observer.hpp>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

/// Checks that it is called as the documentation says: steps do not overlap, and a task is added once, ends once, and
/// is neither woken nor run before or after that. The tasks of each thread are those of one App.
class CheckingObserver : public errand::Observer {
 public:
  void task_added(const errand::TaskEvent& event) override {
    const Called called(*this);
    look_at_name(event);
    demand(tasks_.try_emplace(key(event), false).second, "added twice", event);
  }
  void step_began(const errand::TaskEvent& event) override {
    const Called called(*this);
    look_at_name(event);
    demand(is_alive(event), "a step before or after its life", event);
    demand(steps_.try_emplace(std::this_thread::get_id(), event.id).second, "a step inside a step", event);
  }
  void step_ended(const errand::TaskEvent& event) override {
    const Called called(*this);
    const auto step = steps_.find(std::this_thread::get_id());
    demand(step != steps_.end() && step->second == event.id, "the end of a step that has not begun", event);
    if (step != steps_.end()) steps_.erase(step);
    demand(is_alive(event) || event.what.empty(), "it waits after its end", event);
    if (is_alive(event) && (event.what.empty() || (event.line > 0 && event.file.empty()))) ++lost_texts_;
  }
  void woken(const errand::TaskEvent& event) override {
    const Called called(*this);
    look_at_name(event);
    demand(is_alive(event), "woken before or after its life", event);
  }
  void task_ended(const errand::TaskEvent& event) override {
    const Called called(*this);
    look_at_name(event);
    demand(is_alive(event), "it ends before or after its life", event);
    tasks_[key(event)] = true;
    ++ended_;
  }
  void slept(errand::Clock::time_point from, errand::Clock::time_point to) override {
    const Called called(*this);
    if (from > to) fault_ = "it slept backwards";
  }

  /// Returns how many texts of events were empty, because there was no memory for them.
  int lost_texts() const { return lost_texts_; }
  /// Returns the first fault; empty if there was none. To be called when the App is gone.
  std::string fault() const {
    if (!fault_.empty() || ended_ == tasks_.size()) return fault_;
    return "a task was added, and its end was not told";
  }

 private:
  using Key = std::pair<std::thread::id, std::uint64_t>;

  /// While it lives, a call is under way: two of them never overlap.
  struct Called {
    explicit Called(CheckingObserver& its) : observer(its) {
      if (!observer.mutex_.try_lock()) std::abort();
    }
    ~Called() { observer.mutex_.unlock(); }
    CheckingObserver& observer;
  };

  static Key key(const errand::TaskEvent& event) { return {std::this_thread::get_id(), event.id}; }
  bool is_alive(const errand::TaskEvent& event) const {
    const auto found = tasks_.find(key(event));
    return found != tasks_.end() && !found->second;
  }
  void look_at_name(const errand::TaskEvent& event) { lost_texts_ += event.name.empty(); }
  void demand(bool is_so, const char* fault, const errand::TaskEvent& event) {
    if (!is_so && fault_.empty()) fault_ = "'" + event.name + "', " + std::to_string(event.id) + ": " + fault;
  }

  std::mutex mutex_;
  std::map<Key, bool> tasks_;  // true if it has ended
  std::map<std::thread::id, std::uint64_t> steps_;
  std::size_t ended_ = 0;
  int lost_texts_ = 0;
  std::string fault_;
};
