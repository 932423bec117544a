// SPDX-License-Identifier: MIT
#pragma once

// The words
#include <errand/clock.hpp>
#include <errand/errors.hpp>
#include <errand/reactor.hpp>

// Coroutines and tasks
#include <errand/coro.hpp>
#include <errand/task.hpp>

// Waiting
#include <errand/event.hpp>
#include <errand/time.hpp>

// The App
#include <errand/app.hpp>
