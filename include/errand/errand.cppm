// SPDX-License-Identifier: MIT
// The module `errand`: `import errand;` brings every public name that `#include <errand/errand.hpp>` brings. It brings
// no macro: `#include <errand/version.hpp>` has those of the version. A file that imports errand and has a coroutine
// includes <coroutine>, because a module does not bring the names of the standard library.
//
// Files of one program may import errand or include its headers: both see the same classes. The adapters posix.hpp and
// asio.hpp are no part of the module, and are included.
module;

#include <errand/errand.hpp>

export module errand;

export namespace errand {

// Clocks, errors, other event loops
using errand::Clock;
using errand::ClockSource;
using errand::ManualClock;
using errand::now;

using errand::Cancelled;
using errand::Deadlock;
using errand::Error;
using errand::InvalidEvent;
using errand::InvalidState;
using errand::PayloadTypeMismatch;
using errand::QueueClosed;
using errand::TaskCancelled;
using errand::TaskNameInUse;
using errand::TaskNotFound;
using errand::TaskTypeMismatch;
using errand::TimeoutError;
using errand::WrongThread;

using errand::Reactor;

// Coroutines and tasks
using errand::AsyncGenerator;
using errand::CancelTask;
using errand::Coro;
using errand::create_task;
using errand::current_task;
using errand::Outcome;
using errand::ScopedTask;
using errand::shield;
using errand::Task;
using errand::TaskLocal;
using errand::TaskOf;
using errand::TaskStatus;
using errand::to_string;
using errand::operator<<;

// Waiting
using errand::abandon;
using errand::Abandon;
using errand::Barrier;
using errand::Broadcast;
using errand::Condition;
using errand::Event;
using errand::every;
using errand::Future;
using errand::Interval;
using errand::Lock;
using errand::MissedTick;
using errand::move_on_after;
using errand::Queue;
using errand::Semaphore;
using errand::Sleep;
using errand::sleep;
using errand::sleep_until;
using errand::SleepUntil;
using errand::Subscription;
using errand::Timeout;
using errand::to_thread;
using errand::wait_for;
using errand::Watch;
using errand::Yield;
using errand::yield;

// Several tasks or awaitables at once
using errand::as_completed;
using errand::Backoff;
using errand::Completions;
using errand::finally;
using errand::gather;
using errand::gather_settled;
using errand::race;
using errand::Race;
using errand::retry;
using errand::settled;
using errand::supervise;
using errand::TaskGroup;
using errand::wait_all;
using errand::wait_any;
using errand::Waited;

// The App
using errand::App;
using errand::AppConfig;
using errand::CallHandle;
using errand::Context;
using errand::EventWait;
using errand::KeepAlive;
using errand::NameTaken;
using errand::once;
using errand::Phase;
using errand::run_ready;
using errand::RunOptions;
using errand::Signal;
using errand::TaskScope;

// Looking inside
using errand::Observer;
using errand::ObserverPointer;
using errand::SlowStep;
using errand::Stats;
using errand::TaskEvent;
using errand::TaskFailure;
using errand::TaskInfo;
using errand::TaskWait;
using errand::to_json;
using errand::Trace;

}  // namespace errand
