// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <any>
#include <cstddef>
#include <exception>
#include <future>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/app.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end
#include <errand/detail/base/owner.hpp>
#include <errand/detail/task/submission.hpp>

#if ERRAND_DEFINES
#include <errand/stats.hpp>

#include <errand/detail/app/collector.hpp>
#include <errand/detail/app/engine.hpp>
#endif

namespace errand {

// Implementation: the members of App for callbacks, listeners and signals, and for work from other threads.

template <class F>
bool App::post(F&& f) {
  detail::check_callback<std::decay_t<F>>();
  auto* callback = new detail::PlainCallback<std::decay_t<F>>(*loop_, std::forward<F>(f));
  if (loop_->inbox->post(*callback)) return true;
  callback->drop();
  return false;
}

/// Makes a callback, and hands it to `place`, which puts it where it waits for its turn. If `place` throws, the
/// callback is destroyed unrun; so it is if the App takes no more work.
template <class F, class Place>
CallHandle App::add_callback(F&& f, Place place) {
  detail::check_callback<std::decay_t<F>>();
  loop_->check_thread();
  auto* callback = new detail::PlainCallback<std::decay_t<F>>(*loop_, std::forward<F>(f));
  const CallHandle handle(*callback);
  callback->count();
  if (loop_->closing) {
    callback->drop();
    return handle;
  }
  try {
    place(*callback);
  } catch (...) {
    callback->drop();
    throw;
  }
  return handle;
}

template <class F>
CallHandle App::call_soon(F&& f) {
  return add_callback(std::forward<F>(f), [this](detail::Call& call) { loop_->make_ready(call); });
}

template <class F>
CallHandle App::call(Clock::time_point when, F&& f) {
  return add_callback(std::forward<F>(f), [this, when](detail::Call& call) {
    if (when == detail::never) {
      loop_->never_called.push_back(call);
    } else {
      loop_->timers.arm_finite(call, when);
    }
  });
}

template <class F>
void App::add_listener(Phase phase, F&& f, int priority) {
  loop_->check_thread();
  add_any_listener(
      phase, detail::Owner<detail::Listener>(new detail::ListenerOf<std::decay_t<F>>(std::forward<F>(f), priority)));
}

template <class Work>
std::future<typename detail::WorkTraits<Work&&>::Value> App::submit(Work&& work, std::string name) {
  static_assert(!detail::is_task_handle<std::remove_cvref_t<Work>>, "submit takes a Coro or a callable");
  using T = typename detail::WorkTraits<Work&&>::Value;
  detail::Submission<T> submission(name);
  std::future<T> future = submission.future();
  auto begin = [this, work = std::decay_t<Work>(std::forward<Work>(work)), name, submission]() mutable {
    if (is_stopping()) return;
    Task<T> task;
    try {
      task = add_task(std::move(work), name);
      task.add_done_callback([submission](Task<T> done) mutable { submission.set(std::move(done)); });
    } catch (...) {
      if (task) task.abort();
      submission.fail(std::current_exception());
    }
  };
  if (!post(std::move(begin))) {
    const std::string message = detail::text({"App '", name_, "' has ended and takes no more work"});
    submission.fail(std::make_exception_ptr(InvalidState(message)));
  }
  return future;
}

template <class F>
void App::add_signal(std::string_view event, F&& handler) {
  loop_->check_thread();
  add_handler(event, detail::Owner<detail::Handler>(new detail::HandlerOf<std::decay_t<F>>(std::forward<F>(handler))));
}

#if ERRAND_DEFINES

ERRAND_ONCE void App::add_any_listener(Phase phase, detail::Owner<detail::Listener> listener) {
  engine_->life.listeners.add(phase, *listener.release());
}

ERRAND_ONCE bool App::is_stopping() const noexcept { return engine_->life.has_begun_to_stop(); }

ERRAND_ONCE void App::add_handler(std::string_view event, detail::Owner<detail::Handler> handler) {
  engine_->all_signals().add(event, std::move(handler));
}

ERRAND_ONCE EventWait App::wait_for_event(std::string_view event, std::chrono::nanoseconds timeout) {
  loop_->check_thread();
  return EventWait(engine_->all_signals(), event, timeout);
}

ERRAND_ONCE Task<> App::dispatch(std::string_view event, std::any payload) {
  loop_->check_thread();
  return engine_->all_signals().dispatch(event, std::move(payload));
}

ERRAND_ONCE Subscription<Signal> App::subscribe(std::string_view event, std::size_t capacity) {
  loop_->check_thread();
  return Subscription<Signal>(engine_->all_signals().subscribe(event, capacity));
}

ERRAND_COLD ERRAND_ONCE std::vector<TaskInfo> App::snapshot() const {
  loop_->check_thread();
  return detail::snapshot_of(*loop_, static_cast<std::size_t>(-1));
}

ERRAND_COLD ERRAND_ONCE void App::dump_tasks(std::ostream& out) const { out << snapshot(); }

ERRAND_COLD ERRAND_ONCE Stats App::stats() const {
  loop_->check_thread();
  const detail::Counts& counts = loop_->counts;
  const std::uint64_t ended = counts.ended - counts.hidden;
  const std::chrono::nanoseconds asleep = counts.all_asleep();
  const std::chrono::nanoseconds inside =
      counts.inside + (running() ? Clock::now() - counts.entered : Clock::duration());
  return {.added = loop_->ids.last(),
          .succeeded = ended - counts.failed - counts.cancelled,
          .failed = counts.failed,
          .cancelled = counts.cancelled,
          .pending = loop_->ids.last() - ended,
          .steps = counts.turns + counts.more_steps,
          .turns = counts.turns,
          .callbacks = counts.callbacks,
          .posts = loop_->inbox->posts(),
          .timers = loop_->timers.size(),
          .busy = inside - asleep,
          .asleep = asleep,
          .longest_step = engine_->observation.longest_step()};
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
