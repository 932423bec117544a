// SPDX-License-Identifier: MIT
// Tests of examples/qt_loop.hpp: an App in the event loop of Qt. Prints one line if all is well.
#include "../../examples/qt_loop.hpp"

#include <QApplication>
#include <QDialog>
#include <QPointer>
#include <QPushButton>
#include <QThread>
#include <atomic>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

void expect(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  std::cerr << "tests/loops/qt.cpp:" << line << " is not as expected\n";
  std::exit(1);
}

template <class F>
void after(std::chrono::milliseconds delay, F f) {
  QTimer::singleShot(delay, qApp, f);
}

/// Counts how often Qt goes to sleep.
class Sleeps {
 public:
  Sleeps() {
    QObject::connect(QAbstractEventDispatcher::instance(), &QAbstractEventDispatcher::aboutToBlock, &context_,
                     [this] { ++count_; });
  }
  int count() const { return count_; }

 private:
  int count_ = 0;
  QObject context_;
};

// A test makes a loop, runs it, and looks at what has happened. There is a QApplication.

void slots_use_the_app_without_a_turn() {
  QtLoop loop;
  QPushButton button;
  errand::Event clicked;
  std::vector<int> seen;
  QObject::connect(&button, &QPushButton::clicked, &button, [&] {
    seen.push_back(1);
    clicked.set();
    loop.app().add_task([&]() -> Coro<> {
      seen.push_back(3);
      co_await errand::sleep(1ms);
      QCoreApplication::quit();
    });
  });
  const auto wait = [&]() -> Coro<> {
    co_await clicked.wait();
    seen.push_back(2);
  };
  loop.app().add_task(wait());
  after(50ms, [&] { button.click(); });
  expect(QApplication::exec() == 0);
  loop.finish();
  expect(seen == std::vector{1, 2, 3});
}

void idle_means_idle() {
  QtLoop loop;
  after(10ms, [&] {
    loop.app().add_task([]() -> Coro<> {
      co_await errand::sleep(300ms);
      QCoreApplication::quit();
    });
  });
  const Sleeps sleeps;
  QApplication::exec();
  loop.finish();
  expect(sleeps.count() < 15);
  expect(loop.app().stats().turns < 15);
}

void other_threads_wake_it() {
  QtLoop loop;
  int sum = 0;
  const auto read = [&]() -> Coro<> {
    for (int i = 1; i <= 100; ++i) sum += co_await errand::to_thread([i] { return i; });
    auto answer = errand::Future<int>::shared();
    std::thread thread([answer] {
      std::this_thread::sleep_for(20ms);
      answer.set_result(1000);
    });
    sum += co_await answer;
    thread.join();
    QCoreApplication::quit();
  };
  loop.app().add_task(read());
  QApplication::exec();
  loop.finish();
  expect(sum == 6050);
}

void a_dialog_inside_a_step_stops_the_tasks_but_not_qt() {
  QtLoop loop;
  int ticks = 0, ticks_inside = -1, sleeps_inside = -1;
  bool posted = false, posted_inside = true;
  std::thread thread;
  loop.app().add_task([&]() -> Coro<> {
    for (auto interval = errand::every(5ms);; ++ticks) co_await interval.tick();
  });
  loop.app().add_task([&]() -> Coro<> {
    const auto nothing = errand::create_task([]() -> Coro<> { co_return; });  // is ready all the time
    QDialog dialog;
    after(200ms, [&] { dialog.accept(); });
    thread = std::thread([&] {
      std::this_thread::sleep_for(50ms);
      loop.app().post([&] { posted = true; });
    });
    const int before = ticks;
    const Sleeps sleeps;
    expect(dialog.exec() == QDialog::Accepted);
    sleeps_inside = sleeps.count();
    ticks_inside = ticks - before;
    posted_inside = posted;
    co_await nothing;
    while (ticks - before < 5) co_await errand::sleep(5ms);
    QCoreApplication::quit();
  });
  QApplication::exec();
  loop.finish();
  thread.join();
  expect(ticks_inside == 0 && !posted_inside && posted);
  expect(sleeps_inside < 15);
}

void a_dialog_that_is_awaited_stops_nothing() {
  QtLoop loop;
  QDialog* asked = nullptr;
  loop.app().add_task([&]() -> Coro<> {
    int ticks = 0;
    for (auto interval = errand::every(5ms);; co_await interval.tick()) {
      if (asked && ++ticks == 5) asked->accept();
    }
  });
  loop.app().add_task([&]() -> Coro<> {
    QDialog dialog;
    dialog.open();
    asked = &dialog;
    co_await emitted(&dialog, &QDialog::finished);
    expect(dialog.result() == QDialog::Accepted);
    QCoreApplication::exit();  // quit() closes the windows in Qt 6
  });
  QPointer<QDialog> left;
  loop.app().add_task([&]() -> Coro<> {
    QDialog dialog;
    left = &dialog;
    dialog.open();
    co_await emitted(&dialog, &QDialog::finished);
  });
  QApplication::exec();
  expect(left && left->isVisible());
  loop.finish();
  expect(left.isNull());
}

void the_application_may_end_while_a_dialog_is_inside_a_step() {
  QtLoop loop;
  bool returned = false, cancelled = false;
  loop.app().add_task([&]() -> Coro<> {
    QDialog dialog;
    after(50ms, [&] {
      loop.app().stop();
      QCoreApplication::quit();
    });
    dialog.exec();
    returned = true;
    co_await errand::sleep(1h);
  });
  loop.app().add_task([&]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const errand::Cancelled&) {
      cancelled = true;
    }
  });
  QApplication::exec();
  loop.finish();
  expect(returned && cancelled);
}

void a_signal_can_be_left_and_its_sender_can_go() {
  QtLoop loop;
  auto button = std::make_unique<QPushButton>();
  loop.app().add_task([&]() -> Coro<> {
    const auto left = co_await errand::settled(errand::wait_for(emitted(button.get(), &QPushButton::clicked), 10ms));
    expect(left.what() == "timed out");
    button->click();  // nobody is connected any more
    after(10ms, [&] { button.reset(); });
    const auto gone = co_await errand::settled(emitted(button.get(), &QPushButton::clicked));
    expect(gone.what() == "the sender of a signal was destroyed");
    QThread thread;
    thread.start();
    co_await errand::gather(emitted(&thread, &QThread::finished), [&]() -> Coro<> {
      thread.quit();
      co_return;
    });
    thread.wait();
    QCoreApplication::quit();
  });
  QApplication::exec();
  loop.finish();
}

void the_end_waits_for_thread_calls_and_for_clean_up() {
  QtLoop loop;
  std::atomic<bool> returned = false;
  bool cleaned = false, deleted = false;
  const auto call = [&](std::stop_token stop) {
    loop.app().post([] { QCoreApplication::quit(); });
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(50ms);
    returned = true;
  };
  const auto work = [&]() -> Coro<> { co_await errand::to_thread(std::ref(call)); };
  const auto clean = [&]() -> Coro<> {
    auto* const object = new QObject;
    QObject::connect(object, &QObject::destroyed, object, [&] { deleted = true; });
    object->deleteLater();
    co_await errand::sleep(20ms);
    cleaned = true;
  };
  loop.app().add_task(errand::finally(work, clean));
  QApplication::exec();
  expect(!returned && !cleaned);
  loop.finish();
  expect(returned && cleaned && deleted);
}

/// `end` is called while Qt waits in `finish`, and inside a turn.
void the_clean_up_goes_on_if_the_application_is_ended_again(void (*end)()) {
  QtLoop loop;
  bool cleaned = false, deleted = false;
  const auto work = [&]() -> Coro<> { co_await errand::sleep(1h); };
  const auto clean = [&]() -> Coro<> {
    after(5ms, end);
    co_await errand::sleep(100ms);
    end();
    auto* const object = new QObject;
    QObject::connect(object, &QObject::destroyed, object, [&] { deleted = true; });
    object->deleteLater();
    co_await errand::to_thread([] { std::this_thread::sleep_for(100ms); });
    cleaned = true;
  };
  loop.app().add_task(errand::finally(work, clean));
  after(10ms, [] { QCoreApplication::exit(); });
  QApplication::exec();
  expect(!cleaned);
  const Sleeps sleeps;
  loop.finish();
  expect(cleaned && deleted);
  expect(sleeps.count() < 30);

  // The next loop of Qt is not ended by that.
  after(5ms, [] { QCoreApplication::exit(3); });
  expect(QApplication::exec() == 3);
}

void failures_are_reported_and_listeners_end_exec() {
  std::string failures;
  QtLoop failing("failing", {.on_failure = [&](const errand::TaskFailure& failure) { failures += failure.what(); }});
  failing.app().add_task([&]() -> Coro<> {
    co_await errand::sleep(1ms);
    after(1ms, [] { QCoreApplication::quit(); });
    throw std::runtime_error("of a task");
  });
  QApplication::exec();
  failing.finish();
  expect(failures == "of a task");

  QtLoop refusing;
  refusing.app().before_server_start([] { throw std::runtime_error("of a listener"); });
  expect(QApplication::exec() == 1);
  std::string error;
  try {
    refusing.finish();
  } catch (const std::runtime_error& thrown) {
    error = thrown.what();
  }
  expect(error == "of a listener");
}

void a_stop_ends_exec() {
  QtLoop loop;
  loop.app().add_task([&]() -> Coro<> {
    co_await errand::sleep(1ms);
    try {
      loop.finish();
      expect(false);
    } catch (const errand::InvalidState&) {
    }
    loop.app().stop();
  });
  expect(QApplication::exec() == 0);
  loop.finish();
  loop.finish();
}

void an_app_has_no_other_reactor() {
  struct Other : errand::Reactor {
    void wait(std::optional<errand::Clock::time_point>) override {}
    void wake() noexcept override {}
  } other;
  try {
    QtLoop loop("app", {.reactor = &other});
    expect(false);
  } catch (const std::invalid_argument&) {
  }
}

void a_window_ends_with_its_tasks() {
  QtLoop loop;
  struct Window : QWidget {
    explicit Window(errand::App& app) : tasks(app) {
      tasks.add([this]() -> Coro<> {
        for (auto interval = errand::every(1ms);;) {
          setWindowTitle("a title");
          co_await interval.tick();
        }
      });
    }
    errand::TaskScope tasks;
  };
  auto window = std::make_unique<Window>(loop.app());
  window->show();
  after(20ms, [&] { window.reset(); });
  after(60ms, [] { QCoreApplication::quit(); });
  QApplication::exec();
  loop.finish();
}

// Without a QApplication that lives all the time

void a_loop_may_outlive_the_application(int argc, char** argv) {
  bool refused = false;
  const auto handler = qInstallMessageHandler([](QtMsgType, const QMessageLogContext&, const QString&) {});
  try {
    QtLoop too_early;
  } catch (const errand::InvalidState&) {
    refused = true;
  }
  qInstallMessageHandler(handler);
  expect(refused);
  std::unique_ptr<QtLoop> loop;
  {
    QApplication qt(argc, argv);
    loop = std::make_unique<QtLoop>();
    loop->app().add_task([]() -> Coro<> { co_await errand::to_thread([] { std::this_thread::sleep_for(100ms); }); });
    loop->app().add_task([]() -> Coro<> { co_await errand::sleep(1h); });
    after(20ms, [] { QCoreApplication::quit(); });
    QApplication::exec();
  }
  loop.reset();
}

}  // namespace

int main(int argc, char** argv) {
  {
    QApplication qt(argc, argv);
    QApplication::setQuitOnLastWindowClosed(false);
    slots_use_the_app_without_a_turn();
    idle_means_idle();
    other_threads_wake_it();
    a_dialog_inside_a_step_stops_the_tasks_but_not_qt();
    a_dialog_that_is_awaited_stops_nothing();
    the_application_may_end_while_a_dialog_is_inside_a_step();
    a_signal_can_be_left_and_its_sender_can_go();
    the_end_waits_for_thread_calls_and_for_clean_up();
    the_clean_up_goes_on_if_the_application_is_ended_again(&QCoreApplication::quit);
    the_clean_up_goes_on_if_the_application_is_ended_again([] { QCoreApplication::exit(); });
    failures_are_reported_and_listeners_end_exec();
    a_stop_ends_exec();
    an_app_has_no_other_reactor();
    a_window_ends_with_its_tasks();
  }
  a_loop_may_outlive_the_application(argc, argv);
  std::cout << "an App in the loop of Qt " << qVersion() << " does what it should" << std::endl;
}
