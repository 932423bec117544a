// SPDX-License-Identifier: MIT
#pragma once

// The functions of errand that are seldom called, for programs that compile them once. Such a program defines
// ERRAND_COMPILED for all of its files. The other headers then only declare these functions, so that each file compiles
// in about half the time. One file includes this header, and nothing else of errand:
//
//     #include <errand/compiled.hpp>
//
// The target `errand::compiled` of CMake is a library of such a file, and defines ERRAND_COMPILED for whoever links it.
// Without ERRAND_COMPILED, no program needs this header.

#if defined(ERRAND_DEFINES)
#error "include errand/compiled.hpp before the other headers of errand"
#endif
#define ERRAND_DEFINES 1
#if !defined(ERRAND_COMPILED)
#define ERRAND_COMPILED
#endif

#include <errand/errand.hpp>
