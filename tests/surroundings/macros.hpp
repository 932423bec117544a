// SPDX-License-Identifier: MIT
#pragma once

// Macros that programs or widely used headers define before they include errand. Most of them break the code in which
// their name stands.

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

// programs, Unreal, macOS
#define check(expression)            \
  {                                  \
    if (!(expression)) std::abort(); \
  }
#define verify(expression) check(expression)
#define ensure(expression) (!!(expression))
#define require(expression) check(expression)
#define expect(expression) check(expression)
#define fail(...) std::abort()
#define log(...) broken
#define raise(...) broken
#define error(...) broken
#define print(...) broken
#define trace(...) broken
#define unreachable() broken

// Qt, Boost
#define signals public
#define slots
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)

// windows.h, MFC
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define small char
#define near
#define far
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define DELETE 1
#define Yield()
#define new broken

// X11
#define None 0L
#define Status int
#define Bool int
#define Success 0
#define Always 2
#define True 1
#define False 0

// curses
#define timeout(delay) wtimeout(stdscr, delay)
#define move(y, x) wmove(stdscr, y, x)
#define clear() wclear(stdscr)
#define erase() werase(stdscr)
#define refresh() wrefresh(stdscr)
#define filter() broken

// Arduino, kernels
#define F(text) broken
#define abs(x) ((x) > 0 ? (x) : -(x))
#define round(x) broken
#define swap(a, b) broken
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noinline __attribute__((noinline))
#define cold __attribute__((cold))
