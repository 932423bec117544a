// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>

#include <errand/detail/loop.hpp>
#include <errand/detail/node.hpp>

namespace errand {

/// Whether a task has ended, and how.
enum class TaskStatus : std::uint8_t { pending, succeeded, failed, cancelled };

}  // namespace errand

namespace errand::detail {

class Branches;
class Suspension;

/// What every coroutine of the library has in its frame, whatever its result.
struct PromiseBase {
  using Handle = std::coroutine_handle<PromiseBase>;

  Chain* chain;  // from its start on, as the next
  union {
    Handle parent;  // from then on: whose await goes on when this one ends; null for the outermost
  };
  const char* file;                         // where it stands
  std::uint32_t line = 0;                   // where it awaits; 0 until then
  TaskStatus status = TaskStatus::pending;  // how it is about to end
  bool is_generator = false;
  std::uint16_t spare = 0;  // so that what stands here from `line` on is set in one step

  PromiseBase() noexcept {}
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  /// Every promise has this base at its start and an alignment that moves neither, so that the address of the base is
  /// that of the promise.
  Handle handle() noexcept { return Handle::from_promise(*this); }

  /// Destroys the coroutine, which nobody awaits. Others may stand in its frame, as arguments, and in theirs others
  /// still: from some depth on these follow it, so that the stack stays flat.
  void drop() noexcept;
  void enter(PromiseBase& child) noexcept;  // this coroutine awaits that one
  void leave() noexcept;                    // it has come to its end; its frame goes at once
};

[[noreturn]] ERRAND_COLD inline void throw_empty_coro() {
  throw InvalidState("this Coro is empty: a coroutine runs once, where it was awaited or added");
}

/// A generator's frame belongs to an object, which is told when the chain destroys it.
struct GeneratorBase : PromiseBase, Link {
  GeneratorBase** owner = nullptr;
  bool is_asked = false;  // somebody waits for the next value

  GeneratorBase() noexcept { is_generator = true; }
  ~GeneratorBase() {
    if (linked()) unlink();
  }

  /// The object goes: so does the frame, as soon as nothing inside it runs.
  void drop() noexcept;
  void leave_owner() noexcept {
    if (owner) *owner = nullptr;
  }
};

/// One thread of control: a coroutine and those that it awaits, one inside the other. A task is one; so is each branch
/// of a combinator. It is the node that stands in the ready queue.
///
/// Control passes by the trampoline in `Loop::resume`: whoever awaits a Coro, or ends one, only says in `leaf` who is
/// next. So the stack stays flat at any depth, with every compiler and every option.
class Chain : public Node {
 public:
  /// In this order: behind `ended` it has suspended; up to `branching` there may be a step under way inside it.
  enum class State : std::uint8_t {
    running,
    ended,      // the outermost coroutine has come to its end, or the frames are gone
    branching,  // at the suspension `waiting`, which is for its branches
    created,    // queued for its first step
    ready,      // queued: the wait has ended, with its result or interrupted
    yielding,   // queued: the wait, a `yield`, ends only when it resumes
    waiting,    // at the suspension `waiting`
  };
  enum Flag : std::uint8_t {
    asked_by_task = 1,   // a request to the task that is still to be thrown
    asked_by_owner = 2,  // the same, from the combinator that this is a branch of
    asked = asked_by_task | asked_by_owner,
    interrupted = 4,  // the wait was left because of a request, which is thrown
                      // at the resume
    broken = 8,       // what was waited for is gone
    held = 16,        // requests are held back, while a clean-up is under way
    is_branch = 32,
    decides_on_wake = 64,  // the end of its wait decides a race
    has_work = 128,        // a callable, which makes the coroutine in `begin`
  };

  State state = State::created;
  std::uint8_t flags = 0;
  TaskStatus status = TaskStatus::pending;  // how the outermost coroutine has ended
  std::uint32_t requests = 0;               // of a task: those not taken back
  Loop* loop;
  Suspension* waiting;                 // where it is, or was broken; null: a generator was
  PromiseBase::Handle leaf = nullptr;  // the innermost coroutine: the one to resume

  explicit Chain(Loop* its_loop) noexcept : Node(Step::chain), loop(its_loop) {}

  void run() noexcept final { loop->run_chain(*this); }
  /// Before the first step of what was asked to end, or `has_work`. False where there is no step to make.
  virtual bool begin() noexcept = 0;
  /// The outermost coroutine has come to its end by an exception, which is where its result was to be.
  virtual void threw(TaskStatus) noexcept {}
  /// The outermost coroutine has come to its end, and is gone.
  virtual void ended() noexcept = 0;
  /// The chain of the task that this is, or is a branch of.
  virtual Chain& root() noexcept = 0;
  /// Of a task: why it was asked to end.
  virtual std::string request_reason() const { return {}; }

  // Of a task that is a member of a group: it ends with the group, in the same walk.
  virtual Branches* group() const noexcept { return nullptr; }
  virtual Chain* next_member() const noexcept { return nullptr; }
  /// The request that the group was made is this one's too.
  virtual void requested_by_group() noexcept {}
  /// Its frames have been destroyed with those of the group: it has ended.
  virtual void ended_by_group() noexcept {}

  void woken() noexcept;
  /// Lets all others that are ready run first. False where a request is pending.
  bool yield() noexcept {
    if (flags & (asked | held)) [[unlikely]]
      return yield_specially();
    state = State::yielding;
    loop->make_ready(*this);
    return true;
  }
  bool may_suspend() noexcept { return !(flags & (asked | held)) || may_suspend_if_asked(); }
  void check_resumed() {
    if (flags & (interrupted | broken)) throw_interruption();
  }

  /// Asks this chain and all its branches to end: each is thrown a `Cancelled` at the await where it is suspended, or
  /// the next one that suspends.
  void request(Flag origin) noexcept;
  /// Takes back what `asked_by_task` has not been thrown, nor interrupted a wait.
  void withdraw() noexcept;
  /// Whether a request of the task is still to be thrown in this chain or in a branch of it.
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
  /// The same of the frames inside this one, which is suspended in an await. That await then throws `InvalidState`.
  void cut(PromiseBase& frame) noexcept;

 protected:
  ~Chain() = default;
  std::string take_request() noexcept;

 private:
  friend class Branches;

  template <bool with_members, class Visit>
  void visit(Visit visit) noexcept;
  bool may_suspend_if_asked() noexcept;
  bool yield_specially() noexcept;
  void throw_interruption();
  bool ask(Flag origin) noexcept;
  void note_thrown(std::uint64_t when) noexcept;
  void destroy_above(PromiseBase* last) noexcept;
  void destroy_frames(PromiseBase* last) noexcept;
};

// Implementation; that of Chain stands in branches.hpp and destruction.hpp

ERRAND_NOINLINE inline void PromiseBase::drop() noexcept {
  constexpr unsigned deepest = 32;
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

inline void PromiseBase::enter(PromiseBase& child) noexcept {
  Chain* const own = chain;
  child.chain = own;
  own->leaf = child.handle();
  child.parent = handle();
}

inline void PromiseBase::leave() noexcept {
  if (parent) {
    chain->leaf = parent;
  } else {
    chain->leaf = nullptr;
    chain->status = status;
    chain->state = Chain::State::ended;
  }
}

}  // namespace errand::detail
