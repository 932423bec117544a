// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include <errand/detail/coro/skewed_frame.hpp>
#include <errand/detail/loop/loop.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/task_status.hpp>

namespace errand::detail {

class Branches;
class Suspension;

// Some members of Chain and GeneratorBase are defined in suspension.hpp, branches.hpp, requests.hpp and
// destruction.hpp, because they need suspensions and branches: they bring a request to a wait, and destroy frames in
// the right order. Suspensions and branches need the class Chain, which is defined here.

/// The part of a promise that every coroutine of the library has, whatever the type of its result.
struct PromiseBase {
  using Handle = std::coroutine_handle<PromiseBase>;

  Chain* chain;     // set when the coroutine starts, as `parent` is
  union {           // so that the constructor does not set it: one instruction less of some 126 (W4)
    Handle parent;  // the coroutine that awaits this one; null for the outermost
  };
  union {
    const char* file;           // the source file of the coroutine
    const SkewedFrame* skewed;  // if `is_skewed`
  };
  std::uint32_t line = 0;                   // of its last await; 0 before the first
  TaskStatus status = TaskStatus::pending;  // how it is about to end
  bool is_generator = false;
  bool is_skewed = false;
  std::uint8_t spare = 0;  // makes the members from `line` on eight bytes, which one store sets: two less

  PromiseBase() noexcept {}
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  /// Every promise has this base at its start and an alignment that moves neither, so that the address of the base is
  /// that of the promise.
  Handle handle() noexcept { return Handle::from_promise(*this); }

  /// Destroys the coroutine, which no chain runs. Its frame may hold other Coros, as arguments, whose frames may hold
  /// more Coros. From a depth of 32 on, these are not destroyed inside the destructor of the outer frame but after it,
  /// so that the stack stays flat.
  void drop() noexcept;
  /// Hands control back to the coroutine that awaits this one; if there is none, the chain has ended. Called when a
  /// Coro has come to its end, just before its frame is destroyed, and when a generator gives a value or has come to
  /// its end.
  void return_to_parent() noexcept;

  /// Returns true if `correct_frame` has to be called before the first step of the coroutine.
  bool has_skewed_frame() const noexcept { return may_skew_frames && SkewedFrame::skew_of(this) != 0 && !is_skewed; }
  ERRAND_COLD void correct_frame() noexcept {
    skewed = &SkewedFrame::correct(this, file);
    is_skewed = true;
  }
  void check_frame() noexcept {
    if (has_skewed_frame()) [[unlikely]]
      correct_frame();
  }
  const char* file_name() const noexcept { return is_skewed ? skewed->file : file; }
};

inline const SkewedFrame& SkewedFrame::of(void* functions) noexcept {
  return *PromiseBase::Handle::from_address(functions).promise().skewed;
}

[[noreturn]] void throw_empty_coro();

/// The promise of a generator. Its frame belongs to an `AsyncGenerator`, which is told if the chain destroys the frame.
struct GeneratorBase : PromiseBase, Link {
  /// The await of the next value.
  struct NextAwait {
    std::exception_ptr error;  // thrown by the generator; an `InvalidState` if the generator was destroyed
  };

  GeneratorBase** object = nullptr;  // the pointer to this promise in the `AsyncGenerator`; null if that is gone
  NextAwait* next_await = nullptr;   // waits for the next value; null if nobody does

  GeneratorBase() noexcept { is_generator = true; }
  ~GeneratorBase() {
    if (linked()) unlink();
  }

  /// Called when the `AsyncGenerator` drops its coroutine: destroys the frame, as soon as nothing inside it runs.
  void drop() noexcept;
  /// Called when the chain destroys the frame.
  void forget_object() noexcept {
    if (object) *object = nullptr;
  }
};

/// One thread of control: a coroutine and the coroutines that it awaits, one inside the other. A task is a chain, and
/// so is each branch of a combinator. The chain is the node that stands in the ready queue.
///
/// Control passes through the loop in `Loop::resume`, a trampoline: an await or an end of a Coro only notes in `leaf`
/// which coroutine is next, and returns to `Loop::resume`, which resumes the leaf. So the stack stays flat at any
/// depth, with every compiler and every option.
class Chain : public Node {
 public:
  /// The order matters: `has_suspended` and `may_have_step_inside` compare states with < and >. No other code does.
  enum class State : std::uint8_t {
    running,
    ended,      // the outermost coroutine has come to its end, or the frames are destroyed or about to be destroyed
    branching,  // suspended at `waiting`, which is a `Branches`: it waits for its branches
    created,    // queued for its first step
    ready,      // queued: the wait has ended, because its result has come or because a request interrupted it
    yielding,   // queued: it waits in a `yield`, which ends only when the chain resumes
    waiting,    // suspended at `waiting`
    halted,     // suspended at `waiting`, an `OutsideWait` that is in use: it never runs again, and is destroyed later
  };
  enum Flag : std::uint8_t {
    asked_by_task = 1,        // a request to the task is pending here
    asked_by_combinator = 2,  // a request of the combinator of this branch is pending here
    asked = asked_by_task | asked_by_combinator,
    defers_requests = 4,  // a clean-up is under way
    is_branch = 8,
    tells_when_woken = 16,  // a wait that is a branch of a race, or a chain of a task that is observed
    has_work = 32,          // `begin` makes the coroutine from a callable; or there is no coroutine, only a wait
    failed_wait = 64,       // the wait `waiting` has ended with an error, and has not thrown it yet
    failed_coro = 128,      // a Coro or a generator has ended with `error`, and its await has not thrown it yet
    failed = failed_wait | failed_coro,
    special = asked | defers_requests | failed,  // an await has to check these before it begins
  };

  State state = State::created;
  std::uint8_t flags = 0;
  TaskStatus status = TaskStatus::pending;  // how the outermost coroutine has ended
  std::uint32_t requests = 0;               // of a task: how many requests were not taken back
  Loop* loop;
  union {
    Suspension* waiting;        // the wait at which the chain is suspended, or which has failed
    std::exception_ptr* error;  // if `failed_coro`: stands in the await of the Coro or the generator
  };
  PromiseBase::Handle leaf = nullptr;  // the innermost coroutine: the one to resume

  explicit Chain(Loop* its_loop) noexcept : Node(Step::chain), loop(its_loop) {}

  void run() noexcept final { loop->run_chain(*this); }
  /// Called before the first step if the chain was asked to end or `has_work`, and for each step of a branch that is
  /// only a wait. Returns false if there is no coroutine to resume.
  virtual bool begin() noexcept = 0;
  /// Called when an exception has left the outermost coroutine. The exception stands in the storage of its result.
  virtual void ended_by_exception(TaskStatus) noexcept {}
  /// Called when the outermost coroutine has come to its end and its frame is gone. For a task that is only a
  /// coroutine, the loop calls `TaskBase::finish_without_callable` instead.
  virtual void coroutine_ended() noexcept = 0;
  /// Returns the chain of the task: this chain or, if this is a branch, the outermost chain around it.
  virtual Chain& root() noexcept = 0;
  /// Returns why the task was asked to end. For the chain of a task only.
  virtual std::string request_reason() const { return {}; }

  // For a task that is a member of a group. A walk that asks or destroys what the group waits for visits it too.

  /// Returns the wait of the group; null if this is no member of a group.
  virtual Branches* group() const noexcept { return nullptr; }
  /// Returns the member that was added after this one; null if this is the last.
  virtual Chain* next_member() const noexcept { return nullptr; }
  /// Called when the group was asked to end: this member gets the same request.
  virtual void requested_with_group() noexcept {}
  /// Called when the frames of the group, and those of this member, are to be destroyed but `must_stay` for now.
  virtual void halted_with_group() noexcept {}
  /// Called when the frames of this member have been destroyed, before those of the group: it has ended.
  virtual void destroyed_with_group() noexcept {}

  /// Called when the leaf awaits `child`, a Coro or a generator: the chain goes on with `child`.
  void enter(PromiseBase& child) noexcept;
  /// Makes the chain ready, and tells its race or the observer if it `tells_when_woken`. Called by whoever ends its
  /// wait, after the wait has left its list or the timer queue.
  void woken() noexcept;
  /// Tells the observer, if the task is observed, that a wait of this chain has ended.
  void tell_probe() noexcept;
  /// Returns true if the chain has suspended. The loop calls this after each `resume` of the leaf. One comparison
  /// excludes both `running`, when the chain goes on with another coroutine, and `ended`.
  bool has_suspended() const noexcept { return state > State::ended; }
  /// Returns true if a step may be under way inside this chain: its own, or that of a branch or of a member of a group.
  bool may_have_step_inside() const noexcept { return state <= State::branching; }
  /// Returns true if a request is pending and not deferred. An await that would suspend throws it instead.
  bool is_asked() const noexcept { return (flags & asked) && !(flags & defers_requests); }
  /// Called by an await before it begins. If an expression has two awaits, GCC calls `await_resume` of the first only
  /// after the second has ended. So the second would begin although the first has failed: this throws the error of the
  /// first, and the second never begins.
  void check_earlier_awaits() {
    if (flags & failed) [[unlikely]]
      throw_earlier_failure();
  }
  /// Called when an await of this chain throws its error.
  void clear_failure() noexcept { flags &= static_cast<std::uint8_t>(~failed); }
  /// Called when the await of a Coro or a generator is destroyed before it has thrown its error `unthrown`, because
  /// another part of the expression has thrown.
  void clear_failure(const std::exception_ptr& unthrown) noexcept {
    if ((flags & failed_coro) && error == &unthrown) clear_failure();
  }
  /// Notes that the await of a Coro or a generator has still to throw `thrown`. The object `thrown` is a part of that
  /// await.
  void fail(std::exception_ptr& thrown) noexcept {
    error = &thrown;
    flags |= failed_coro;
  }
  /// Lets all other chains that are ready run first. Does not suspend if a request is pending.
  void yield() {
    if (flags & special) [[unlikely]]
      return yield_unless_asked();
    state = State::yielding;
    loop->make_ready(*this);
  }
  /// Called when a `yield` resumes: throws the request that is pending.
  void check_yielded() {
    if (flags & (asked | defers_requests)) [[unlikely]]
      throw_if_asked();
  }
  /// Throws the request that is pending, if there is one.
  ERRAND_NOINLINE void throw_if_asked() {
    if (is_asked()) throw Cancelled(take_request(flags & asked_by_task));
  }
  /// Called when an await throws the requests that are pending in this chain, all as one `Cancelled`: they are no
  /// longer pending. Returns the reason, see `reason_of_request`.
  std::string take_request(bool of_task) noexcept;
  /// Tells the combinators around this chain that their requests have been thrown inside it.
  void note_thrown() noexcept;
  /// Returns the reason of a request to the task or, if not `of_task`, of a request of the combinator of this branch.
  /// Empty if there is no memory for it.
  std::string reason_of_request(bool of_task) noexcept;

  /// Asks this chain, its branches, and the members of its groups to end. In each of them `Cancelled` is thrown out of
  /// the await at which it is suspended, or else out of its next await that would suspend.
  void request(Flag origin) noexcept;
  /// Takes back the requests to the task that are pending. A request that has ended a wait is still thrown.
  void withdraw() noexcept;
  /// Returns true if a request to the task has still to be thrown in this chain or in one of its branches.
  bool is_asked_by_task() noexcept;
  /// Returns true if `inner` is this chain, is inside one of its branches, or is inside a member of one of its groups.
  /// False if `inner` is null.
  bool is_around(const Chain* inner) const noexcept;
  /// Destroys all frames, which do not run any further: branches before the frame that holds them, the last branch
  /// first, and the innermost frame of each chain first. Needs constant stack. Called while a `Destruction` of this
  /// chain is under way.
  void destroy() noexcept {
    if (state != State::branching) [[likely]] {
      destroy_frames(nullptr);
    } else {
      destroy_above(nullptr);
    }
  }
  /// Destroys only the frames inside `frame`, which awaits the next value of a generator that is being destroyed. The
  /// chain then goes on with `frame`: its await throws `thrown`, an object that is a part of that await.
  void cut(PromiseBase& frame, std::exception_ptr& thrown) noexcept;
  /// Returns true if the frames inside this chain cannot be destroyed yet, because a destruction is under way that has
  /// to end first (see `Destruction::must_be_put_off`), or because another thread uses something inside. In the second
  /// case the chain has been halted. Must not be called while a step is under way inside this chain.
  bool must_stay() noexcept;
  /// Makes sure that nothing inside this chain runs again: each chain leaves its wait, if that can be left. Returns
  /// true if another thread still uses a frame inside. May be called again.
  bool halt() noexcept;
  /// Blocks until no other thread uses anything inside this chain, which must have been halted.
  void block() noexcept;

 protected:
  ~Chain() = default;

 private:
  void tell_woken() noexcept;
  template <bool with_members, class Visit>
  void visit(Visit visit) noexcept;
  bool ask(Flag origin) noexcept;
  void throw_earlier_failure();
  void yield_unless_asked();
  void destroy_above(PromiseBase* last) noexcept;
  void destroy_frames(PromiseBase* last) noexcept;
};

// Implementation

inline void Chain::enter(PromiseBase& child) noexcept {
  child.check_frame();
  child.chain = this;
  child.parent = leaf;
  leaf = child.handle();
}

inline void PromiseBase::return_to_parent() noexcept {
  if (parent) {
    chain->leaf = parent;
  } else {
    chain->leaf = nullptr;
    chain->status = status;
    chain->state = Chain::State::ended;
  }
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void throw_empty_coro() {
  throw InvalidState("this Coro is empty: a coroutine runs once, where it was awaited or added");
}

ERRAND_NOINLINE ERRAND_ONCE void PromiseBase::drop() noexcept {
  constexpr unsigned deepest = 32;
  check_frame();
  ThreadState& thread = this_thread();
  if (thread.drops == deepest) {
    parent = Handle::from_address(std::exchange(thread.dropped, handle().address()));
    return;
  }
  ++thread.drops;
  handle().destroy();
  while (thread.drops == deepest && thread.dropped) {
    const Handle next = Handle::from_address(thread.dropped);
    thread.dropped = next.promise().parent.address();
    next.destroy();
  }
  --thread.drops;
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
