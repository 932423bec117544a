// SPDX-License-Identifier: MIT
#pragma once

#include <errand/observer.hpp>
#include <errand/trace.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

/// An Observer that writes a `Trace` while it is switched on. It must outlive the App, which may have one worker only,
/// and belongs to the App's thread. While it is off, each step of a task still costs a little more than without it.
class TraceSwitch final : public errand::Observer {
 public:
  explicit TraceSwitch(std::string path) : path_(std::move(path)) {}
  const std::string& path() const noexcept { return path_; }
  /// Begins a trace. Throws if one is under way, or if the file cannot be made. An older file is overwritten.
  void on() {
    if (is_on_) throw std::runtime_error("the trace is on already");
    trace_.emplace(path_);
    is_on_ = true;
  }
  /// Ends the trace, and closes its file. Throws if there is none, or if it could not be written.
  void off() {
    if (!std::exchange(is_on_, false)) throw std::runtime_error("the trace is not on");
    trace_->close();
  }

 private:
  using Event = errand::TaskEvent;
  using Time = errand::Clock::time_point;
  /// Passes an event on. (The members of a Trace are private there, but not as those of an Observer.)
  template <class... Args>
  void pass(void (errand::Observer::*member)(Args...), Args... args) {
    if (is_on_) (static_cast<errand::Observer&>(*trace_).*member)(args...);
  }
  void task_added(const Event& event) override { pass<const Event&>(&Observer::task_added, event); }
  void step_began(const Event& event) override { pass<const Event&>(&Observer::step_began, event); }
  void step_ended(const Event& event) override { pass<const Event&>(&Observer::step_ended, event); }
  void woken(const Event& event) override { pass<const Event&>(&Observer::woken, event); }
  void task_ended(const Event& event) override { pass<const Event&>(&Observer::task_ended, event); }
  void slept(Time from, Time to) override { pass<Time, Time>(&Observer::slept, from, to); }

  const std::string path_;
  std::optional<errand::Trace> trace_;
  bool is_on_ = false;
};
