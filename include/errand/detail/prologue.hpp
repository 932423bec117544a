// SPDX-License-Identifier: MIT
// Every header of errand includes this file first, and epilogue.hpp, which undoes it, last. There is no #pragma once.
// The two files stand in no room of detail/, because the headers of every room include them.

// NOLINTNEXTLINE(misc-header-include-cycle)
#include <errand/detail/base/compiler.hpp>

// A program and its plug-ins share one errand, even if they are compiled with -fvisibility=hidden. They share its
// thread-locals and its memory, and the types of errors and tasks, which `catch` and `dynamic_cast` compare.
#if defined(__GNUC__) && !defined(_WIN32)  // on Windows nothing that a header defines is shared
#pragma GCC visibility push(default)
#endif

// If a program has made one of these names a macro, it is none from here to the epilogue, and is one again after that.
// Errand, or a standard header that it includes, uses the name for something else, or may use it. Not in the list are
// - names that a system header defines for other system headers, such as near, far, small and interface in windows.h.
//   If such a header were first included between prologue and epilogue, its macros would be lost at the epilogue.
//   Errand does not use such names.
// - public members that a macro may rename, as in `#define close closesocket`, because this renames the user's calls
//   too.

// Checks and logs of programs
#pragma push_macro("assume")
#undef assume
#pragma push_macro("check")
#undef check
#pragma push_macro("debug")
#undef debug
#pragma push_macro("enforce")
#undef enforce
#pragma push_macro("ensure")
#undef ensure
#pragma push_macro("error")
#undef error
#pragma push_macro("expect")
#undef expect
#pragma push_macro("fail")
#undef fail
#pragma push_macro("info")
#undef info
#pragma push_macro("log")
#undef log
#pragma push_macro("panic")
#undef panic
#pragma push_macro("print")
#undef print
#pragma push_macro("raise")
#undef raise
#pragma push_macro("require")
#undef require
#pragma push_macro("trace")
#undef trace
#pragma push_macro("verify")
#undef verify
#pragma push_macro("warn")
#undef warn

// Qt and Boost
#pragma push_macro("emit")
#undef emit
#pragma push_macro("foreach")
#undef foreach
#pragma push_macro("forever")
#undef forever
#pragma push_macro("signals")
#undef signals
#pragma push_macro("slots")
#undef slots

// windows.h and MFC
#pragma push_macro("Yield")
#undef Yield
#pragma push_macro("max")
#undef max
#pragma push_macro("min")
#undef min
#pragma push_macro("new")
#undef new

// X11
#pragma push_macro("Always")
#undef Always
#pragma push_macro("Bool")
#undef Bool
#pragma push_macro("None")
#undef None
#pragma push_macro("Status")
#undef Status
#pragma push_macro("Success")
#undef Success

// curses
#pragma push_macro("clear")
#undef clear
#pragma push_macro("erase")
#undef erase
#pragma push_macro("filter")
#undef filter
#pragma push_macro("move")
#undef move
#pragma push_macro("refresh")
#undef refresh
#pragma push_macro("timeout")
#undef timeout

// Arduino, kernels, old C
#pragma push_macro("F")
#undef F
#pragma push_macro("abs")
#undef abs
#pragma push_macro("always_inline")
#undef always_inline
#pragma push_macro("cold")
#undef cold
#pragma push_macro("likely")
#undef likely
#pragma push_macro("noinline")
#undef noinline
#pragma push_macro("round")
#undef round
#pragma push_macro("swap")
#undef swap
#pragma push_macro("unlikely")
#undef unlikely
#pragma push_macro("unreachable")
#undef unreachable
