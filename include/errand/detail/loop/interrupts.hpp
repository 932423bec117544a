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

/// Puts a handler in the place of the one that there is for a signal, and the old one back.
class SignalAction {
 public:
  using Handler = void (*)(int);
  explicit SignalAction(int signal) noexcept : signal_(signal) {}

#if ERRAND_HAS_SIGACTION
  void set(Handler handler) noexcept {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    for (const int both : {SIGINT, SIGTERM}) sigaddset(&action.sa_mask, both);
    sigaction(signal_, &action, &old_);
  }
  /// With its flags and its mask.
  void put_back() noexcept { sigaction(signal_, &old_, nullptr); }
  /// From inside the handler: nothing has to be done to be called again.
  static void keep(int, Handler) noexcept {}

 private:
  struct sigaction old_{};
#else
  void set(Handler handler) noexcept { old_ = std::signal(signal_, handler); }
  void put_back() noexcept { std::signal(signal_, old_); }
  /// From inside the handler: some systems take a handler away when it is called.
  static void keep(int signal, Handler handler) noexcept { std::signal(signal, handler); }

 private:
  Handler old_ = SIG_DFL;
#endif
  const int signal_;
};

/// Wakes a loop from inside a signal handler, which may not use what a loop sleeps on: the handler posts a semaphore,
/// and a thread that waits for it notifies the loop. If there is no such thread, the loop has to look now and then.
class Alarm {
 public:
#if ERRAND_HAS_SEMAPHORES
  explicit Alarm(std::shared_ptr<Inbox> inbox) noexcept : inbox_(std::move(inbox)) {
    if (sem_init(&rung_, 0, 0) != 0) return;
    sigset_t all, old;  // the thread is not the one to run handlers, of the user's neither
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
  /// From inside a signal handler.
  void ring() noexcept {
    if (has_thread_) sem_post(&rung_);
  }
  /// How long the loop may sleep until it looks.
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

/// Counts SIGINT and SIGTERM while it lives, and wakes the loop for each. With the second, the default handlers are put
/// in place, so that a third ends the process. At its end the handlers that were there before are put back. Only one
/// can live at a time in a program.
class Interrupts {
 public:
  /// Throws `InvalidState` if there is one already.
  explicit Interrupts(const std::shared_ptr<Inbox>& inbox) : claim_(), alarm_(inbox) {
    current().store(this);
    interrupt_.set(&on_signal);
    terminate_.set(&on_signal);
  }
  ~Interrupts() {
    // A handler that is still running on another thread must not touch the handlers behind this, nor this object.
    current().store(nullptr);
    while (under_way().load() > 0) std::this_thread::yield();
    interrupt_.put_back();
    terminate_.put_back();
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int seen() const noexcept { return count_.load(); }
  Nanoseconds longest_sleep() const noexcept { return alarm_.longest_sleep(); }

 private:
  static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Interrupts*>::is_always_lock_free,
                "a signal handler may only use lock-free atomics");

  /// Whose the signals of the program are: the first member, so that it is given back last.
  class Claim {
   public:
    Claim() {
      if (is_taken().exchange(true)) throw InvalidState("another App handles signals at the moment");
    }
    ~Claim() { is_taken().store(false); }

   private:
    static std::atomic<bool>& is_taken() noexcept {
      static std::atomic<bool> is_taken = false;
      return is_taken;
    }
  };

  static std::atomic<Interrupts*>& current() noexcept {
    static std::atomic<Interrupts*> current = nullptr;
    return current;
  }
  /// How many handlers are running.
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
      for (const int both : {SIGINT, SIGTERM}) std::signal(both, SIG_DFL);
      if (number > 2) std::raise(signal);  // it came before the second one had got so far
    }
    alarm_.ring();
  }

  Claim claim_;
  std::atomic<int> count_ = 0;
  Alarm alarm_;
  SignalAction interrupt_{SIGINT};
  SignalAction terminate_{SIGTERM};
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
