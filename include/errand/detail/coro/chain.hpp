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

namespace errand {

/// Whether a task has ended, and how.
enum class TaskStatus : std::uint8_t { pending, succeeded, failed, cancelled };

}  // namespace errand

namespace errand::detail {

class Branches;
class Suspension;

// The rest of Chain and GeneratorBase stands in suspension.hpp, branches.hpp and destruction.hpp: how a request reaches
// a wait, and in which order frames are destroyed, needs suspensions and branches, and each of those needs its chain.

/// What every coroutine of the library has in its frame, whatever its result.
struct PromiseBase {
  using Handle = std::coroutine_handle<PromiseBase>;

  Chain* chain;  // from its start on, as the next
  union {
    Handle parent;  // from then on: whose await goes on when this one ends; null for the outermost
  };
  union {
    const char* file;           // where it stands
    const SkewedFrame* skewed;  // if `is_skewed`
  };
  std::uint32_t line = 0;                   // where it awaits; 0 until then
  TaskStatus status = TaskStatus::pending;  // how it is about to end
  bool is_generator = false;
  bool is_skewed = false;
  std::uint8_t spare = 0;  // so that what stands here from `line` on is set in one step

  PromiseBase() noexcept {}
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  /// Every promise has this base at its start and an alignment that moves neither, so that the address of the base is
  /// that of the promise.
  Handle handle() noexcept { return Handle::from_promise(*this); }

  /// Destroys the coroutine, which nobody awaits. Others may stand in its frame, as arguments, and in theirs others
  /// still: from some depth on these follow it, so that the stack stays flat.
  void drop() noexcept;
  void return_to_parent() noexcept;  // it has come to its end; its frame goes at once

  /// Whether `correct_frame` is to be called before its first step.
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

[[noreturn]] ERRAND_COLD inline void throw_empty_coro() {
  throw InvalidState("this Coro is empty: a coroutine runs once, where it was awaited or added");
}

/// The frame of a generator belongs to an object. The object is told when the chain destroys the frame.
struct GeneratorBase : PromiseBase, Link {
  /// An await of the next value.
  struct Asker {
    std::exception_ptr error;  // what the generator threw, or that it was destroyed
  };

  GeneratorBase** object = nullptr;
  Asker* asker = nullptr;  // who waits for the next value

  GeneratorBase() noexcept { is_generator = true; }
  ~GeneratorBase() {
    if (linked()) unlink();
  }

  /// The object goes: so does the frame, as soon as nothing inside it runs.
  void drop() noexcept;
  void forget_object() noexcept {
    if (object) *object = nullptr;
  }
};

/// One thread of control: a coroutine and those that it awaits, one inside the other. A task is one; so is each branch
/// of a combinator. It is the node that stands in the ready queue.
///
/// Control passes by the trampoline in `Loop::resume`: whoever awaits a Coro, or ends one, only says in `leaf` who is
/// next. So the stack stays flat at any depth, with every compiler and every option.
class Chain : public Node {
 public:
  /// The order matters to `has_suspended` and `may_have_step_inside`, and to nobody else.
  enum class State : std::uint8_t {
    running,
    ended,      // the outermost coroutine has come to its end, or the frames are gone
    branching,  // at the suspension `waiting`, which is for its branches
    created,    // queued for its first step
    ready,      // queued: the wait has ended, with its result or interrupted
    yielding,   // queued: the wait, a `yield`, ends only when it resumes
    waiting,    // at the suspension `waiting`
    halted,     // at the `OutsideWait` `waiting`, which is in use: it is destroyed after that, and runs no further
  };
  enum Flag : std::uint8_t {
    asked_by_task = 1,        // a request to the task that has not been thrown here
    asked_by_combinator = 2,  // the same, from the combinator that this is a branch of
    asked = asked_by_task | asked_by_combinator,
    defers_requests = 4,  // requests are held back, while a clean-up is under way
    is_branch = 8,
    decides_on_wake = 16,  // the end of its wait decides a race
    has_work = 32,      // `begin` makes the coroutine from a callable, or there is none, as in a branch that only waits
    failed_wait = 64,   // an await has failed and has not thrown yet: `waiting`
    failed_coro = 128,  // the same, of a Coro or a generator: `error`
    failed = failed_wait | failed_coro,
    special = asked | defers_requests | failed,  // an await has to look before it begins
  };

  State state = State::created;
  std::uint8_t flags = 0;
  TaskStatus status = TaskStatus::pending;  // how the outermost coroutine has ended
  std::uint32_t requests = 0;               // of a task: those not taken back
  Loop* loop;
  union {
    Suspension* waiting;        // the wait at which it is suspended, in the states `branching` and `waiting`
    std::exception_ptr* error;  // if `failed_coro`: in the await of that Coro
  };
  PromiseBase::Handle leaf = nullptr;  // the innermost coroutine: the one to resume

  explicit Chain(Loop* its_loop) noexcept : Node(Step::chain), loop(its_loop) {}

  void run() noexcept final { loop->run_chain(*this); }
  /// Before the first step of what was asked to end, or `has_work`. False where there is no step to make.
  virtual bool begin() noexcept = 0;
  /// The outermost coroutine has come to its end by an exception, which is where its result was to be.
  virtual void threw(TaskStatus) noexcept {}
  /// The outermost coroutine has come to its end, and is gone.
  virtual void coroutine_ended() noexcept = 0;
  /// The chain of the task that this is, or is a branch of.
  virtual Chain& root() noexcept = 0;
  /// Of a task: why it was asked to end.
  virtual std::string request_reason() const { return {}; }

  // Of a task that is a member of a group: it ends with the group, in the same walk.
  virtual Branches* group() const noexcept { return nullptr; }
  virtual Chain* next_member() const noexcept { return nullptr; }
  /// The request that the group was made is this one's too.
  virtual void requested_with_group() noexcept {}
  /// Its frames go with those of the group, but not yet: they `must_stay`.
  virtual void halted_with_group() noexcept {}
  /// Its frames have been destroyed with those of the group: it has ended.
  virtual void destroyed_with_group() noexcept {}

  /// The coroutine that is running awaits that one.
  void enter(PromiseBase& child) noexcept;
  void woken() noexcept;
  /// Returns true if the chain has suspended. The loop asks after each `resume` of the leaf: one comparison tells it
  /// from `running`, in which the chain goes on with another coroutine, and from `ended`.
  bool has_suspended() const noexcept { return state > State::ended; }
  /// Returns true if a step of this chain may be under way: its own one, or one of a branch or a member of a group.
  bool may_have_step_inside() const noexcept { return state <= State::branching; }
  /// Whether a request is pending, which an await that would suspend throws instead.
  bool is_asked() const noexcept { return (flags & asked) && !(flags & defers_requests); }
  /// Called by an await before it begins. GCC begins the second await of an expression although the first one has
  /// failed, and lets that throw only later: the error of the first is thrown here, and the second one never begins.
  void check_earlier_awaits() {
    if (flags & failed) [[unlikely]]
      throw_earlier_failure();
  }
  /// An await of this chain throws its error.
  void forget_failed() noexcept { flags &= static_cast<std::uint8_t>(~failed); }
  /// The same if it never threw it, because another part of the expression has thrown.
  void forget_failed(const std::exception_ptr& unthrown) noexcept {
    if ((flags & failed_coro) && error == &unthrown) forget_failed();
  }
  /// The coroutine that awaits a Coro or a generator will throw this error.
  void fail(std::exception_ptr& thrown) noexcept {
    error = &thrown;
    flags |= failed_coro;
  }
  /// Lets all others that are ready run first, unless a request is pending.
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
  /// A request is thrown here: it is no longer pending in this chain. Gives its reason if it was made of the task.
  std::string take_request(bool of_task) noexcept;
  /// What was asked of the combinators around this chain has been thrown inside it.
  void note_thrown() noexcept;
  /// The reason of a request, which is empty if it was not made of the task.
  std::string reason_of_request(bool of_task) noexcept;

  /// Asks this chain and all its branches to end: each is thrown a `Cancelled` at the await where it is suspended, or
  /// the next one that suspends.
  void request(Flag origin) noexcept;
  /// Takes back the requests to the task that have not been thrown yet, nor ended a wait.
  void withdraw() noexcept;
  /// Whether a request to the task is still to be thrown in this chain or in a branch of it.
  bool is_asked_by_task() noexcept;
  /// Whether that chain is this one, or in a branch of it, or in a member of a group of it.
  bool is_around(const Chain* inner) const noexcept;
  /// Destroys all frames without running them further: branches before the frame that holds them, the last first, and
  /// the innermost frame of each first. Constant stack.
  void destroy() noexcept {
    if (state != State::branching) [[likely]] {
      destroy_frames(nullptr);
    } else {
      destroy_above(nullptr);
    }
  }
  /// The same of the frames inside this one, which waits for the next value of a generator, and then goes on with this
  /// error, which stands in it.
  void cut(PromiseBase& frame, std::exception_ptr& thrown) noexcept;
  /// Whether the frames inside this chain, which runs no step just now, cannot be destroyed yet: because a destructor
  /// is under way inside, or because another thread uses something inside. Then nothing inside goes on any further.
  bool must_stay() noexcept;
  /// Sees to it that nothing inside goes on: all of it leaves what it waits for, but for what another thread uses. True
  /// if anything is used. May be called again.
  bool halt() noexcept;
  /// Blocks until no other thread uses anything inside this chain, which has been halted.
  void block() noexcept;

 protected:
  ~Chain() = default;

 private:
  template <bool with_members, class Visit>
  void visit(Visit visit) noexcept;
  bool ask(Flag origin) noexcept;
  void throw_earlier_failure();
  void yield_unless_asked();
  void destroy_above(PromiseBase* last) noexcept;
  void destroy_frames(PromiseBase* last) noexcept;
};

// Implementation

ERRAND_NOINLINE inline void PromiseBase::drop() noexcept {
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

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
