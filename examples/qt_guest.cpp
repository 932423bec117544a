// SPDX-License-Identifier: MIT
// A window of Qt 5 or Qt 6 whose work is done by tasks. One counts primes on another thread, shows how far it is, can
// be cancelled, and asks a question in the end. Its arguments: [FILE [BUTTON...]]. The numbers that are kept go into
// FILE, primes.txt if there is none. The buttons are pressed one after the other; "Close" closes the window.
#include <QAbstractButton>
#include <QApplication>
#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QProgressBar>
#include <QPushButton>
#include <QStringList>
#include <QTimer>
#include <QVBoxLayout>
#include <QWidget>
#include <algorithm>
#include <chrono>
#include <errand/errand.hpp>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "qt_loop.hpp"

using namespace std::chrono_literals;
using errand::Coro;

namespace {

/// Returns how many primes there are from `from` up to `to`, without `to`: slow on purpose.
int count_primes(int from, int to) {
  int found = 0;
  for (int number = std::max(from, 2); number < to; ++number) {
    int divisor = 2;
    while (divisor * divisor <= number && number % divisor != 0) ++divisor;
    if (divisor * divisor > number) ++found;
  }
  return found;
}

void append(std::string file, int number) {
  std::ofstream out(file, std::ios::app);
  if (!(out << number << std::endl)) throw std::runtime_error("cannot write to " + file);
}

class Window : public QWidget {
 public:
  Window(errand::App& app, std::string file);

 private:
  class Counting;
  Coro<> count();
  Coro<bool> ask(QString question);
  Coro<> ask_with_exec();
  Coro<> show_age();
  Coro<> show_failures();

  void say(const std::string& text) {
    std::cout << text << std::endl;
    message_->setText(QString::fromStdString(text));
  }

  errand::App& app_;
  const std::string file_;
  QLabel* const message_ = new QLabel("How many primes are there below a million?");
  QProgressBar* const progress_ = new QProgressBar;
  QPushButton* const start_ = new QPushButton("Start");
  QPushButton* const cancel_ = new QPushButton("Cancel");
  QPushButton* const block_ = new QPushButton("Block");
  QLabel* const age_ = new QLabel;
  errand::TaskScope tasks_;  // the last member: the tasks end before what they use
};

Window::Window(errand::App& app, std::string file) : app_(app), file_(std::move(file)), tasks_(app) {
  setWindowTitle("Primes");
  setMinimumWidth(420);
  auto* const buttons = new QHBoxLayout;
  for (QPushButton* const button : {start_, cancel_, block_}) buttons->addWidget(button);
  auto* const all = new QVBoxLayout(this);
  all->addWidget(message_);
  all->addWidget(progress_);
  all->addLayout(buttons);
  all->addWidget(age_);
  age_->setObjectName("age");
  cancel_->setEnabled(false);

  // [slots]
  connect(start_, &QPushButton::clicked, this, [this] { tasks_.add(count(), "count", errand::NameTaken::keep); });
  connect(cancel_, &QPushButton::clicked, this, [this] {
    if (auto task = app_.find_task("count")) task.cancel("You pressed Cancel.");
  });
  // [slots]
  connect(block_, &QPushButton::clicked, this, [this] { tasks_.add(ask_with_exec()); });
  tasks_.add(show_age());
  tasks_.add(show_failures());
}

/// Enables Cancel in place of Start while it lives.
class Window::Counting {
 public:
  explicit Counting(Window& window) : window_(window) { set(true); }
  Counting(const Counting&) = delete;
  ~Counting() { set(false); }

 private:
  void set(bool is_counting) {
    window_.start_->setEnabled(!is_counting);
    window_.cancel_->setEnabled(is_counting);
  }
  Window& window_;
};

// [count]
Coro<> Window::count() {
  const Counting counting(*this);  // its destructor enables the Start button again, however this ends
  constexpr int parts = 50, size = 20'000;
  int found = 0;
  try {
    for (int part = 0; part < parts; ++part) {
      progress_->setValue(100 * part / parts);
      found += co_await errand::to_thread(count_primes, part * size, (part + 1) * size);  // the window stays alive
    }
    progress_->setValue(100);
    say("There are " + std::to_string(found) + " primes below a million.");
    if (co_await ask("Keep the number?")) co_await errand::to_thread(append, file_, found);
  } catch (const errand::Cancelled& request) {
    say(request.reason().empty() ? "The window was closed." : request.reason());
  }
}
// [count]

// [ask]
Coro<bool> Window::ask(QString question) {
  QMessageBox box(QMessageBox::Question, windowTitle(), question, QMessageBox::Yes | QMessageBox::No, this);
  box.open();  // returns at once
  co_await emitted(&box, &QMessageBox::finished);
  co_return box.standardButton(box.clickedButton()) == QMessageBox::Yes;
}
// [ask]

// [exec]
Coro<> Window::ask_with_exec() {
  QMessageBox::information(this, windowTitle(), "All tasks stand still until you close this.");  // calls exec()
  co_return;
}
// [exec]

// [every]
Coro<> Window::show_age() {
  auto interval = errand::every(100ms);
  for (int tenths = 0;; ++tenths) {
    age_->setText(QString("This window is %1 s old.").arg(tenths / 10.0, 0, 'f', 1));
    co_await interval.tick();
  }
}
// [every]

// [failures]
Coro<> Window::show_failures() {
  auto failures = app_.subscribe("server.exception.report");
  while (const auto signal = co_await failures.next()) {
    const auto failure = signal->get<errand::TaskFailure>();
    say("The task '" + failure.name() + "' failed: " + failure.what());
  }
}
// [failures]

/// Plays a user, who presses buttons, each of which must be in front and enabled, and looks at each dialog for a while.
class User {
 public:
  User(errand::App& app, QWidget& window, QStringList buttons)
      : app_(app), window_(window), buttons_(std::move(buttons)) {
    QObject::connect(&timer_, &QTimer::timeout, &timer_, [this] { act(); });
    timer_.start(50);
  }

 private:
  void act() {
    QWidget* const front = QApplication::activeModalWidget() ? QApplication::activeModalWidget() : &window_;
    if (std::exchange(front_, front) != front) {
      looking_.start();
      age_before_ = age();
    }
    if (buttons_.isEmpty() || (front != &window_ && looking_.elapsed() < 500)) return;
    if (const auto next = app_.next_deadline(); next && *next <= app_.now())
      return;  // a task is about to show something
    if (buttons_.first() == "Close") {
      note("");
      window_.close();
      return;
    }
    for (auto* const button : front->findChildren<QAbstractButton*>()) {
      if (!button->isEnabled() || button->text().remove('&') != buttons_.first()) continue;
      note(front == &window_ ? "" : age() == age_before_ ? ", and the age stood still" : ", and the age went on");
      button->click();
      return;
    }
  }
  QString age() const { return window_.findChild<QLabel*>("age")->text(); }
  void note(const char* meanwhile) {
    std::cout << "-- " << buttons_.takeFirst().toStdString() << meanwhile << std::endl;
  }

  errand::App& app_;
  QWidget& window_;
  QStringList buttons_;
  QTimer timer_;
  QWidget* front_ = nullptr;  // the window, or the dialog before it
  QElapsedTimer looking_;     // at what is in front
  QString age_before_;
};

}  // namespace

int main(int argc, char** argv) {
  QApplication qt(argc, argv);
  const QStringList arguments = QApplication::arguments();
  const std::string file = arguments.value(1, "primes.txt").toStdString();
  // [main]
  QtLoop loop("guest", {.slow_step = 200ms});  // reports what blocks the window
  Window window(loop.app(), file);
  window.show();
  // [main]
  const User user(loop.app(), window, arguments.mid(2));
  // [main]
  const int code = QApplication::exec();
  loop.finish();  // asks the tasks to end, and waits for their clean-up
  return code;
  // [main]
}
