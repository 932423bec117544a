// SPDX-License-Identifier: MIT
#pragma once

/// The version of errand, for `#if`. CMake and pkg-config read it from here.
#define ERRAND_VERSION_MAJOR 0
#define ERRAND_VERSION_MINOR 2
#define ERRAND_VERSION_PATCH 0

/// The version as one number: version 1.2.3 is 10203.
#define ERRAND_VERSION (ERRAND_VERSION_MAJOR * 10000 + ERRAND_VERSION_MINOR * 100 + ERRAND_VERSION_PATCH)

/// Background tasks for C++20: `App` runs them, `Task` is a handle to one, `Coro` is what a coroutine function returns.
namespace errand {}
