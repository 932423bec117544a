// SPDX-License-Identifier: MIT
// The workloads written by hand: the least code that does the work on plain coroutines. It has no errors, no names, no
// shared ownership, no clean-up of tasks that were not awaited, and one waiter per object. So errand can come near to
// its times, but can't reach them.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"

namespace {

/// Memory for frames. It is cut from chunks, and freed frames are kept in lists by size, to be used again.
class Frames {
 public:
  static void* allocate(std::size_t size) {
    Free*& head = lists_[list_of(size)];
    return head ? std::exchange(head, head->next) : cut(list_of(size) * step);
  }
  static void release(void* frame, std::size_t size) {
    Free*& head = lists_[list_of(size)];
    head = new (frame) Free{head};
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t step = 16;
  static constexpr std::size_t chunk = 1 << 16;

  static std::size_t list_of(std::size_t size) { return (size + step - 1) / step; }
  static void* cut(std::size_t size) {
    if (left_ < size) {
      rest_ = static_cast<char*>(::operator new(chunk));
      left_ = chunk;
    }
    left_ -= size;
    return std::exchange(rest_, rest_ + size);
  }

  static inline Free* lists_[64] = {};
  static inline char* rest_ = nullptr;
  static inline std::size_t left_ = 0;
};

/// A coroutine that starts when it is awaited or when the loop takes it from its queue. A Job owns the frame of the
/// coroutine.
class Job {
 public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Job(Handle handle) : handle_(handle) {}
  Job(Job&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Job& operator=(Job&&) = delete;
  ~Job() {
    if (handle_) handle_.destroy();
  }

  Handle handle() const { return handle_; }
  long result() const;

  /// Starts the job, and waits for its end.
  auto operator co_await() const;
  /// Waits for the end of a job that the loop has.
  auto joined() const;

 private:
  Handle handle_;
};

struct Job::promise_type {
  promise_type* next = nullptr;  // used while it stands in the loop's queue
  std::coroutine_handle<> awaiter = std::noop_coroutine();
  long result = 0;

  struct Final {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(Handle ended) const noexcept { return ended.promise().awaiter; }
    void await_resume() const noexcept {}
  };

  Job get_return_object() { return Job(Handle::from_promise(*this)); }
  std::suspend_always initial_suspend() noexcept { return {}; }
  Final final_suspend() noexcept { return {}; }
  void return_value(long value) { result = value; }
  void unhandled_exception() { std::terminate(); }
  static void* operator new(std::size_t size) { return Frames::allocate(size); }
  static void operator delete(void* frame, std::size_t size) { Frames::release(frame, size); }
};

using Waiting = Job::promise_type;

long Job::result() const { return handle_.promise().result; }

auto Job::operator co_await() const {
  struct Call {
    Handle called;
    explicit Call(Handle handle) : called(handle) {}
    bool await_ready() const { return false; }
    Handle await_suspend(std::coroutine_handle<> caller) const {
      called.promise().awaiter = caller;
      return called;
    }
    long await_resume() const { return called.promise().result; }
  };
  return Call(handle_);
}

auto Job::joined() const {
  struct Join {
    Handle task;
    explicit Join(Handle handle) : task(handle) {}
    bool await_ready() const { return task.done(); }
    void await_suspend(std::coroutine_handle<> caller) const { task.promise().awaiter = caller; }
    long await_resume() const { return task.promise().result; }
  };
  return Join(handle_);
}

/// The coroutines that are ready to go on, first come first served. The list goes through their promises.
class Ready {
 public:
  void push(Waiting& waiting) {
    waiting.next = nullptr;
    (head_ ? tail_->next : head_) = &waiting;
    tail_ = &waiting;
  }
  Waiting* pop() { return head_ ? std::exchange(head_, head_->next) : nullptr; }

 private:
  Waiting* head_ = nullptr;
  Waiting* tail_ = nullptr;
};

Ready ready;

Job spawn(Job job) {
  ready.push(job.handle().promise());
  return job;
}

struct Yield {
  bool await_ready() const { return false; }
  void await_suspend(Job::Handle caller) const { ready.push(caller.promise()); }
  void await_resume() const {}
};

/// A node of one of the wheel's lists.
struct Timer {
  Timer* next = this;
  Timer* previous = this;
  std::int64_t deadline = 0;
  Waiting* waiting = nullptr;

  void insert_before(Timer& place) {
    next = &place;
    previous = place.previous;
    previous->next = place.previous = this;
  }
  void remove() {
    next->previous = previous;
    previous->next = next;
    next = previous = this;
  }
};

/// A timing wheel: a list for each tick of about a millisecond. A timer that is due more than one turn of the wheel
/// later stays in its list until then.
class Wheel {
 public:
  void arm(Timer& timer, std::int64_t delay) {
    timer.deadline = now_ + delay;
    timer.insert_before(list_of(timer.deadline / tick));
  }
  /// Sleeps until the current tick is over, and makes the coroutines ready whose timers were due in it.
  void turn() {
    std::this_thread::sleep_until(Clock::time_point(std::chrono::nanoseconds((current_ + 1) * tick)));
    now_ = read();
    for (; (current_ + 1) * tick <= now_; ++current_) sweep(list_of(current_));
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::int64_t tick = 1 << 20;

  static std::int64_t read() { return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(); }
  Timer& list_of(std::int64_t at) { return lists_[static_cast<std::size_t>(at) % std::size(lists_)]; }
  void sweep(Timer& list) {
    for (Timer* timer = list.next; timer != &list;) {
      Timer& due = *std::exchange(timer, timer->next);
      if (due.deadline >= (current_ + 1) * tick) continue;
      due.remove();
      ready.push(*due.waiting);
    }
  }

  Timer lists_[1024];
  std::int64_t now_ = read();
  std::int64_t current_ = now_ / tick;
};

Wheel wheel;

constexpr std::int64_t hour = 3'600'000'000'000;

/// Leaves the wheel when the frame that contains it is destroyed.
class Sleep {
 public:
  explicit Sleep(std::int64_t delay) : delay_(delay) {}
  Sleep(const Sleep&) = delete;
  ~Sleep() { timer_.remove(); }
  bool await_ready() const { return false; }
  void await_suspend(Job::Handle caller) {
    timer_.waiting = &caller.promise();
    wheel.arm(timer_, delay_);
  }
  void await_resume() const {}

 protected:
  Timer timer_;
  std::int64_t delay_;
};

struct Cancelled {};

/// A sleep that ends early and throws if `cancel` is called.
class CancellableSleep : public Sleep {
 public:
  explicit CancellableSleep(CancellableSleep*& self) : Sleep(hour) { self = this; }
  void cancel() {
    cancelled_ = true;
    timer_.remove();
    ready.push(*timer_.waiting);
  }
  void await_resume() const {
    if (cancelled_) throw Cancelled{};
  }

 private:
  bool cancelled_ = false;
};

/// A queue in a ring, for one coroutine that puts and one that gets.
template <std::size_t Capacity>
class Queue {
 public:
  auto put(long item) { return Put(*this, item); }
  auto get() { return Get(*this); }

 private:
  static void wake(Waiting*& waiting) {
    if (waiting) ready.push(*std::exchange(waiting, nullptr));
  }

  struct Put {
    Queue& queue;
    long item;
    Put(Queue& to, long what) : queue(to), item(what) {}
    bool await_ready() const { return queue.put_ - queue.got_ < Capacity; }
    void await_suspend(Job::Handle caller) { queue.putter_ = &caller.promise(); }
    void await_resume() {
      queue.items_[queue.put_++ % Capacity] = item;
      wake(queue.getter_);
    }
  };

  struct Get {
    Queue& queue;
    explicit Get(Queue& from) : queue(from) {}
    bool await_ready() const { return queue.put_ != queue.got_; }
    void await_suspend(Job::Handle caller) { queue.getter_ = &caller.promise(); }
    long await_resume() {
      wake(queue.putter_);
      return queue.items_[queue.got_++ % Capacity];
    }
  };

  long items_[Capacity] = {};
  std::size_t put_ = 0;
  std::size_t got_ = 0;
  Waiting* putter_ = nullptr;
  Waiting* getter_ = nullptr;
};

/// Runs the loop until the job has ended.
long run(const Job& job) {
  ready.push(job.handle().promise());
  for (;;) {
    while (Waiting* next = ready.pop()) Job::Handle::from_promise(*next).resume();
    if (job.handle().done()) return job.result();
    wheel.turn();
  }
}

/// W1t, W3t, W7t: the workload without the `t`, while one timer is pending.
long with_timer(const Job& job) {
  Timer pending;
  wheel.arm(pending, hour);
  const long result = run(job);
  pending.remove();
  return result;
}

Job give(long i) { co_return i; }

Job nap(std::int64_t delay) {
  co_await Sleep(delay);
  co_return 0;
}

std::vector<Job> room_for(long n) {
  std::vector<Job> jobs;
  jobs.reserve(static_cast<std::size_t>(n));
  return jobs;
}

/// W1: one frame and one pass through the queue. A job that ends resumes its waiter directly.
Job spawn_await(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    const Job task = spawn(give(i));
    sum += co_await task.joined();
  }
  co_return sum;
}

/// W2: the frame is the whole task.
Job spawn_many(long n, bench::Memory& memory) {
  auto tasks = room_for(n);
  memory.begin();
  for (long i = 0; i < n; ++i) tasks.push_back(spawn(give(i)));
  memory.end();
  long sum = 0;
  for (const auto& task : tasks) sum += co_await task.joined();
  co_return sum;
}

Job yielding(long n) {
  for (long i = 0; i < n; ++i) co_await Yield();
  co_return n;
}

/// W3: a yield goes to the end of the queue.
Job yields(long n) {
  auto tasks = room_for(1000);
  for (int i = 0; i < 1000; ++i) tasks.push_back(spawn(yielding(n / 1000)));
  long sum = 0;
  for (const auto& task : tasks) sum += co_await task.joined();
  co_return sum;
}

/// W4: one frame; the call and the return are symmetric transfers.
Job await_coro(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await give(i);
  co_return sum;
}

/// W4d: calls as in W4, n levels deep.
Job chain(long n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await chain(n - 1);
}

/// A level of W11, as a plain function.
[[gnu::noinline]] long throwing(int level) {
  if (level == 1) throw std::runtime_error("failed");
  return 1 + throwing(level - 1);
}

/// W11: an error comes out through eleven functions.
Job errors(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    try {
      sum += throwing(11);
    } catch (const std::runtime_error&) {
      ++sum;
    }
  }
  co_return sum;
}

/// W5: one frame with the timer in it. A sleep is exact to the tick, not to the nanosecond.
Job sleepers(long n) {
  auto tasks = room_for(n);
  bench::Random random;
  for (long i = 0; i < n; ++i) tasks.push_back(spawn(nap(random(100'000'000))));
  for (const auto& task : tasks) co_await task.joined();
  co_return n;
}

/// W5b1: puts a timer into a list and takes it out.
Job timers(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    Timer timer;
    wheel.arm(timer, hour);
    sum += timer.next != &timer;
    timer.remove();
  }
  co_return sum;
}

/// W5b, W5bf: puts n timers into the wheel's lists, and takes all of them out.
Job many_timers(long n, bool with_random_delays) {
  std::vector<Timer> timers(static_cast<std::size_t>(n));
  bench::Random random;
  for (Timer& timer : timers) wheel.arm(timer, with_random_delays ? hour + random(100'000'000) : hour);
  long sum = 0;
  for (Timer& timer : timers) {
    sum += timer.next != &timer;
    timer.remove();
  }
  co_return sum;
}

/// W5bw: a ring of 1,000 timers, of which the oldest is taken out and put in again.
Job timer_window(long n) {
  std::vector<Timer> window(1000);
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    Timer& oldest = window[static_cast<std::size_t>(i) % window.size()];
    sum += oldest.next != &oldest;
    oldest.remove();
    wheel.arm(oldest, hour);
  }
  for (Timer& timer : window) {
    sum += timer.next != &timer;
    timer.remove();
  }
  co_return sum;
}

Job cancellable(CancellableSleep*& sleep) {
  try {
    co_await CancellableSleep(sleep);
  } catch (const Cancelled&) {
    co_return 1;
  }
  co_return 0;
}

/// W6: one exception, which is thrown and caught in the same frame.
Job cancel_sleeper(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    CancellableSleep* sleep = nullptr;
    const Job task = spawn(cancellable(sleep));
    co_await Yield();
    sleep->cancel();
    sum += co_await task.joined();
  }
  co_return sum;
}

/// W6a1: destroys a frame, with the timer in it.
Job abort_sleeper(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    const Job task = spawn(nap(hour));
    co_await Yield();
    sum += !task.handle().done();
  }
  co_return sum;
}

/// W6a, W6ar: destroys the frames, each with its timer in it.
Job abort_sleepers(long n, bool with_random_delays) {
  auto tasks = room_for(n);
  bench::Random random;
  for (long i = 0; i < n; ++i) tasks.push_back(spawn(nap(with_random_delays ? hour + random(100'000'000) : hour)));
  co_await Yield();
  long sum = 0;
  for (Job& task : tasks) {
    sum += !task.handle().done();
    const Job gone = std::move(task);
  }
  co_return sum;
}

Job echo(Queue<1>& there, Queue<1>& back, long n) {
  for (long i = 0; i < n; ++i) co_await back.put(co_await there.get());
  co_return 0;
}

/// W7: a round trip takes two passes through the ready queue.
Job ping(long n) {
  Queue<1> there, back;
  const Job echoing = spawn(echo(there, back, n));
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    co_await there.put(i);
    sum += co_await back.get();
  }
  co_await echoing.joined();
  co_return sum;
}

Job produce(Queue<64>& queue, long n) {
  for (long i = 0; i < n; ++i) co_await queue.put(i);
  co_return 0;
}

/// W7b: an item takes a place in a ring; the coroutines switch every 64 items.
Job stream(long n) {
  Queue<64> queue;
  const Job producing = spawn(produce(queue, n));
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await queue.get();
  co_await producing.joined();
  co_return sum;
}

/// W8: a function and its argument are put into a vector under a mutex. The loop swaps the vector for an empty one.
long posts(long n) {
  struct Call {
    void (*function)(long& sum, long i);
    long argument;
  };
  std::mutex mutex;
  std::condition_variable posted;
  std::vector<Call> calls;
  bool ended = false;

  std::thread other([&] {
    for (long i = 0; i < n; ++i) {
      const std::lock_guard lock(mutex);
      calls.push_back({[](long& sum, long item) { sum += item; }, i});
      if (calls.size() == 1) posted.notify_one();
    }
    const std::lock_guard lock(mutex);
    ended = true;
    posted.notify_one();
  });

  long sum = 0;
  std::vector<Call> taken;
  do {
    taken.clear();
    std::unique_lock lock(mutex);
    posted.wait(lock, [&] { return ended || !calls.empty(); });
    taken.swap(calls);
    lock.unlock();
    for (const auto& call : taken) call.function(sum, call.argument);
  } while (!taken.empty());
  other.join();
  return sum;
}

/// W9: one frame with the timer in it.
Job memory_of_sleepers(long n, bench::Memory& memory) {
  auto tasks = room_for(n);
  memory.begin();
  for (long i = 0; i < n; ++i) tasks.push_back(spawn(nap(hour)));
  co_await Yield();
  memory.end();
  co_return n;
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory& memory) {
  if (workload == "W1") return ::run(spawn_await(n));
  if (workload == "W2") return ::run(spawn_many(n, memory));
  if (workload == "W3") return ::run(yields(n));
  if (workload == "W4") return ::run(await_coro(n));
  if (workload == "W4d") return ::run(chain(n));
  if (workload == "W5") return ::run(sleepers(n));
  if (workload == "W5b1") return ::run(timers(n));
  if (workload == "W5b") return ::run(many_timers(n, true));
  if (workload == "W5bf") return ::run(many_timers(n, false));
  if (workload == "W5bw") return ::run(timer_window(n));
  if (workload == "W11") return ::run(errors(n));
  if (workload == "W1t") return with_timer(spawn_await(n));
  if (workload == "W3t") return with_timer(yields(n));
  if (workload == "W7t") return with_timer(ping(n));
  if (workload == "W6") return ::run(cancel_sleeper(n));
  if (workload == "W6a1") return ::run(abort_sleeper(n));
  if (workload == "W6a") return ::run(abort_sleepers(n, false));
  if (workload == "W6ar") return ::run(abort_sleepers(n, true));
  if (workload == "W7") return ::run(ping(n));
  if (workload == "W7b") return ::run(stream(n));
  if (workload == "W8") return posts(n);
  if (workload == "W9" || workload == "W9n") return ::run(memory_of_sleepers(n, memory));
  return unknown;
}
