// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include <errand/config.hpp>
#include <errand/detail/app/driver.hpp>
#include <errand/detail/app/lifecycle.hpp>
#include <errand/detail/app/observation.hpp>
#include <errand/detail/app/registry.hpp>
#include <errand/detail/app/reports.hpp>
#include <errand/detail/app/signals.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/host.hpp>
#include <errand/detail/loop/loop.hpp>

namespace errand::detail {

/// The parts of an App that `app.hpp` does not need: its names, its signals, its runs and its reports. They stand
/// behind a pointer, so that a program that is compiled with ERRAND_COMPILED does not read their headers.
class Engine final : public Host {
 public:
  /// Makes the loop too. The App gives it back by `Loop::release`. `name` is that of the App, and must live as long.
  Engine(App& app, const std::string& name, AppConfig its_config)
      : config(std::move(its_config)),
        observation(config, reports, driver),
        loop(*new Loop(&app, this, config.clock, config.reactor, observation.probe(), observation.probes_steps())),
        life(app, loop, signals, config.graceful_timeout),
        driver(loop, life, name, config.reactor),
        reports(loop, config, signals, driver.group),
        name_(name) {
    loop.max_threads = config.max_threads;
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void report(TaskBase* task, std::exception_ptr error) noexcept override { reports.failure(task, std::move(error)); }
  void report_stall(std::exception_ptr error) noexcept override {
    reports.failure(nullptr, std::move(error), name_.c_str());
  }
  void registered_ended(TaskBase& task) noexcept override { registry.task_ended(task, config.purge_when_done); }

  /// Returns the signals, which are made at the first use.
  Signals& all_signals() {
    if (!signals) signals = Owner<SignalHub>(new Signals(loop));
    return static_cast<Signals&>(*signals);
  }

  const AppConfig config;
  Observation observation;
  Loop& loop;
  Registry registry;
  Owner<SignalHub> signals;  // null until the first use
  Lifecycle life;
  Driver driver;
  Reports reports;

 private:
  const std::string& name_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
