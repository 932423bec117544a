// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/base/text.hpp>
#include <errand/detail/loop/inbox.hpp>
#include <errand/errors.hpp>

#if ERRAND_HAS_SIGACTION
#include <signal.h>
#endif
#if ERRAND_HAS_SEMAPHORES
#include <pthread.h>
#include <semaphore.h>
#endif

namespace errand::detail {

/// Sets a handler for a signal, and puts the old handler back.
class SignalAction {
 public:
  using Handler = void (*)(int);
  explicit SignalAction(int signal) noexcept : signal_(signal) {}

#if ERRAND_HAS_SIGACTION
  /// Returns false if there is no such signal, or if it cannot be handled.
  bool set(Handler handler) noexcept {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    for (const int both : {SIGINT, SIGTERM}) sigaddset(&action.sa_mask, both);
    return sigaction(signal_, &action, &old_) == 0;
  }
  /// Puts the old handler back, with its flags and its mask.
  void put_back() noexcept { sigaction(signal_, &old_, nullptr); }
  /// Called inside the handler, so that it is called again for the next signal. Here this needs nothing.
  static void keep(int, Handler) noexcept {}

 private:
  struct sigaction old_{};
#else
  bool set(Handler handler) noexcept { return (old_ = std::signal(signal_, handler)) != SIG_ERR; }
  void put_back() noexcept { std::signal(signal_, old_); }
  /// Called inside the handler, so that it is called again, because some systems remove a handler when they call it.
  static void keep(int signal, Handler handler) noexcept { std::signal(signal, handler); }

 private:
  Handler old_ = SIG_DFL;
#endif
  const int signal_;
};

/// Claims one signal of the program: for a run of an App with `RunOptions::handle_signals`, or for `errand::signal`.
class SignalClaim {
 public:
  enum Owner : int { nobody, run, await };

  /// Throws `InvalidState` if somebody has claimed the signal.
  SignalClaim(int signal, Owner owner) : owner_(owner_of(signal)) {
    int before = nobody;
    if (owner_.compare_exchange_strong(before, owner)) return;
    if (before == run && owner == run) throw InvalidState("another App handles signals at the moment");
    const char* const by = before == run ? "a run with handle_signals" : "errand::signal";
    raise<InvalidState>({"signal ", number(static_cast<unsigned>(signal)), " is handled by ", by, " already"});
  }
  SignalClaim(const SignalClaim&) = delete;
  ~SignalClaim() { owner_.store(nobody); }

  /// Returns true if a run handles the signal.
  static bool is_of_run(int signal) noexcept { return owner_of(signal).load() == run; }

 private:
  static std::atomic<int>& owner_of(int signal) noexcept {
    static std::atomic<int> owners[most + 1] = {};
    return owners[signal > 0 && signal < most ? signal : most];
  }
  static constexpr int most = 128;  // above every signal's number

  std::atomic<int>& owner_;
};

/// Wakes a loop from inside a signal handler. A handler may not use a mutex, nor the condition variable on which the
/// loop sleeps. So it posts a semaphore, and a thread that waits for the semaphore notifies the loop. If there is no
/// such thread, the loop has to look at the signals now and then.
class Alarm {
 public:
#if ERRAND_HAS_SEMAPHORES
  explicit Alarm(std::shared_ptr<Inbox> inbox) noexcept : inbox_(std::move(inbox)) {
    if (sem_init(&rung_, 0, 0) != 0) return;
    sigset_t all, old;  // the new thread blocks all signals, so that no handler runs on it, not even one of the user's
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    has_thread_ = pthread_create(&thread_, nullptr, &serve, this) == 0;
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    if (!has_thread_) sem_destroy(&rung_);
  }
  ~Alarm() {
    if (!has_thread_) return;
    is_over_.store(true);
    sem_post(&rung_);
    pthread_join(thread_, nullptr);
    sem_destroy(&rung_);
  }
  /// Called inside a signal handler.
  void ring() noexcept {
    if (has_thread_) sem_post(&rung_);
  }
  /// Returns how long the loop may sleep before it looks at the signals again.
  Nanoseconds longest_sleep() const noexcept { return has_thread_ ? Nanoseconds::max() : looks_every; }
#else
  explicit Alarm(const std::shared_ptr<Inbox>&) noexcept {}
  void ring() noexcept {}
  Nanoseconds longest_sleep() const noexcept { return looks_every; }
#endif
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  static constexpr Nanoseconds looks_every = std::chrono::milliseconds(50);

#if ERRAND_HAS_SEMAPHORES
  static void* serve(void* self) noexcept {
    Alarm& alarm = *static_cast<Alarm*>(self);
    for (;;) {
      if (sem_wait(&alarm.rung_) != 0) continue;
      if (alarm.is_over_.load()) return nullptr;
      alarm.inbox_->notify();
    }
  }

  const std::shared_ptr<Inbox> inbox_;
  sem_t rung_;
  pthread_t thread_;
  bool has_thread_ = false;
  std::atomic<bool> is_over_ = false;
#endif
};

/// Counts SIGINT and SIGTERM while it lives, and wakes the loop for each. On Windows, it counts SIGBREAK too, which
/// Ctrl+Break sends. The second signal installs the default handlers, so that a third one ends the process. The
/// destructor puts back the handlers that were there before. Only one object can live at a time in a program.
class Interrupts {
 public:
  /// Throws `InvalidState` if there is an object already, or if `errand::signal` waits for one of the signals.
  explicit Interrupts(const std::shared_ptr<Inbox>& inbox) : alarm_(inbox) {
    current().store(this);
    for (Handled& each : handled_) each.action.set(&on_signal);
  }
  ~Interrupts() {
    // Wait for a handler that is still running on another thread: it uses this object, and may set the default
    // handlers, which would then replace the handlers that are put back here.
    current().store(nullptr);
    while (under_way().load() > 0) std::this_thread::yield();
    for (Handled& each : handled_) each.action.put_back();
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Returns how many signals there were.
  int seen() const noexcept { return count_.load(); }
  Nanoseconds longest_sleep() const noexcept { return alarm_.longest_sleep(); }

 private:
  static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Interrupts*>::is_always_lock_free,
                "a signal handler may only use lock-free atomics");

  static std::atomic<Interrupts*>& current() noexcept {
    static std::atomic<Interrupts*> current = nullptr;
    return current;
  }
  /// Returns how many handlers are running.
  static std::atomic<int>& under_way() noexcept {
    static std::atomic<int> under_way = 0;
    return under_way;
  }
  static void on_signal(int signal) noexcept {
    const int error = errno;
    ++under_way();
    if (Interrupts* const interrupts = current().load()) interrupts->count(signal);
    --under_way();
    errno = error;
  }
  void count(int signal) noexcept {
    const int number = ++count_;
    if (number == 1) {
      SignalAction::keep(signal, &on_signal);
    } else {
      for (const Handled& each : handled_) std::signal(each.signal, SIG_DFL);
      if (number > 2) std::raise(signal);  // this one came before the second had set the default handlers
    }
    alarm_.ring();
  }

  struct Handled {
    explicit Handled(int its_signal) : signal(its_signal), claim(signal, SignalClaim::run), action(signal) {}
    const int signal;
    SignalClaim claim;
    SignalAction action;
  };

  // The claims are in the first member, so that they are given up last.
#if defined(_WIN32)
  Handled handled_[3] = {Handled(SIGINT), Handled(SIGTERM), Handled(SIGBREAK)};
#else
  Handled handled_[2] = {Handled(SIGINT), Handled(SIGTERM)};
#endif
  std::atomic<int> count_ = 0;
  Alarm alarm_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
