// SPDX-License-Identifier: MIT
#pragma once

// An App in the event loop of Qt 5 or Qt 6: a file to copy, which needs no moc.

#include <QAbstractEventDispatcher>
#include <QCoreApplication>
#include <QEventLoop>
#include <QTimer>
#include <algorithm>
#include <chrono>
#include <errand/errand.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

/// An App whose tasks run inside the event loop of Qt, on the thread of the QApplication. Make it after the
/// QApplication, and before the windows. Slots may use the App without any other call.
///
///     QApplication qt(argc, argv);
///     QtLoop loop;
///     Window window(loop.app());
///     window.show();
///     const int code = QApplication::exec();
///     loop.finish();
///     return code;
///
/// The App runs until `finish`, also while it has no tasks. If it ends earlier, because somebody has called `App::stop`
/// or a start listener has thrown, `exec` returns.
class QtLoop : private errand::Reactor {
 public:
  /// Throws `InvalidState` if there is no QApplication yet, and `std::invalid_argument` if `config` has a Reactor,
  /// because the QtLoop is the Reactor of its App.
  explicit QtLoop(std::string name = "app", errand::AppConfig config = {})
      : app_(std::move(name), with(*this, std::move(config))) {
    if (!QCoreApplication::instance()) throw errand::InvalidState("a QtLoop is made before the QApplication");
    timer_.setSingleShot(true);
    timer_.setTimerType(Qt::PreciseTimer);
    QObject::connect(&timer_, &QTimer::timeout, &timer_, [this] { turn(); });
    // A slot may have used the App. This sees it before Qt sleeps.
    QObject::connect(QAbstractEventDispatcher::instance(), &QAbstractEventDispatcher::aboutToBlock, &timer_,
                     [this] { set_timer(); });
  }
  /// Destroys the tasks that are left where they stand. Call `finish` before, so that they can clean up.
  ~QtLoop() override { is_over_ = true; }

  errand::App& app() noexcept { return app_; }

  /// Asks all tasks to end, and runs Qt's event loop until they have cleaned up. Throws what a listener of the App has
  /// thrown, and `InvalidState` if it is called inside a task or a callback of the App.
  void finish() {
    if (app_.running()) throw errand::InvalidState("QtLoop::finish is called inside the App");
    app_.stop();
    if (!is_over_) ending_.exec();
    // If somebody calls `quit` or `exit` meanwhile, this ends the loop of `ending_`, and `exec` would return at once.
    while (!is_over_) QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static errand::AppConfig with(errand::Reactor& reactor, errand::AppConfig config) {
    if (config.reactor) throw std::invalid_argument("a QtLoop is the Reactor of its App, which can have no other one");
    config.reactor = &reactor;
    return config;
  }

  // [turn]
  /// Makes turns of the App, for 5 ms at most, so that the windows stay alive. If a task has opened a dialog with
  /// `exec`, this is called inside the step of that task, and does nothing.
  void turn() {
    if (is_over_) return;
    try {
      if (app_.poll(app_.now() + std::chrono::milliseconds(5))) return set_timer();
    } catch (...) {  // must not go through Qt
      error_ = std::current_exception();
    }
    is_over_ = true;
    if (ending_.isRunning()) return ending_.quit();
    QCoreApplication::exit(error_ ? 1 : 0);
  }

  void set_timer() {
    using namespace std::chrono_literals;
    const auto next = is_over_ ? std::nullopt : app_.next_deadline();
    if (!next) return timer_.stop();
    const auto now = app_.now();
    timer_.start(*next <= now ? 0ms : std::chrono::ceil<std::chrono::milliseconds>(std::min(*next, now + 1h) - now));
  }

  /// Called on any thread that has something for the App.
  void wake() noexcept override {
    QMetaObject::invokeMethod(&timer_, [this] { turn(); }, Qt::QueuedConnection);
  }
  void wait(std::optional<errand::Clock::time_point>) override {}  // only App::run calls it
  // [turn]

  QTimer timer_;
  QEventLoop ending_;
  std::exception_ptr error_;
  bool is_over_ = false;
  errand::App app_;  // below the timer, which it uses until its end
  errand::KeepAlive keep_ = app_.keep_alive();
};

/// Waits until `sender` emits a signal: `co_await emitted(&dialog, &QDialog::finished)`. The sender may live on another
/// thread. Throws `InvalidState` if the sender is destroyed before that, and `Cancelled` if the task is asked to end.
template <class Sender, class Signal>
errand::Coro<> emitted(Sender* sender, Signal signal) {
  errand::Future<> came;
  QObject context;  // the connections end with it, however this wait ends
  QObject::connect(sender, signal, &context, [&] { came.set_result(); });
  QObject::connect(sender, &QObject::destroyed, &context,
                   [&] { came.set_exception(errand::InvalidState("the sender of a signal was destroyed")); });
  co_await came;
}
