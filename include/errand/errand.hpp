// SPDX-License-Identifier: MIT
#pragma once

#include <errand/version.hpp>

// All of errand, in groups. A program may include single headers instead, which compiles faster.

// Clocks, errors, other event loops
#include <errand/clock.hpp>
#include <errand/errors.hpp>
#include <errand/reactor.hpp>

// Coroutines and tasks
#include <errand/coro.hpp>
#include <errand/create_task.hpp>
#include <errand/generator.hpp>
#include <errand/scoped_task.hpp>
#include <errand/task.hpp>
#include <errand/task_local.hpp>
#include <errand/task_status.hpp>

// Waiting
#include <errand/barrier.hpp>
#include <errand/broadcast.hpp>
#include <errand/condition.hpp>
#include <errand/event.hpp>
#include <errand/future.hpp>
#include <errand/interval.hpp>
#include <errand/lock.hpp>
#include <errand/queue.hpp>
#include <errand/semaphore.hpp>
#include <errand/thread.hpp>
#include <errand/time.hpp>
#include <errand/timeout.hpp>
#include <errand/watch.hpp>

// Several tasks or awaitables at once
#include <errand/finally.hpp>
#include <errand/gather.hpp>
#include <errand/gather_each.hpp>
#include <errand/race.hpp>
#include <errand/retry.hpp>
#include <errand/task_group.hpp>
#include <errand/wait.hpp>

// The App
#include <errand/app.hpp>
#include <errand/signals.hpp>
#include <errand/task_scope.hpp>

// Looking inside
#include <errand/observer.hpp>
#include <errand/snapshot.hpp>
#include <errand/stats.hpp>
#include <errand/trace.hpp>
