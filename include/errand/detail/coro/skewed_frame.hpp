// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

// `SkewedFrame::of` stands in chain.hpp, because a promise knows its SkewedFrame, and PromiseBase is defined there.

/// A coroutine whose frame GCC has laid out wrongly. If the body of a coroutine has no local variable and awaits in the
/// condition of an `if`, a `while` or a `switch`, GCC (seen with 12.2) puts the value of the condition in front of the
/// two functions that every frame begins with. `std::coroutine_handle` finds neither the functions nor the promise
/// then, and the first resume jumps to nowhere: `if (co_await queue.get() == 1) …` crashes.
///
/// The two functions still stand directly in front of the promise, and a handle made from the promise looks for them
/// there. But they need the true address of the frame. So `correct` replaces them with two functions that correct the
/// address. One SkewedFrame is made for each such coroutine function of a program, and is never freed.
struct SkewedFrame {
  using Function = void (*)(void*);

  Function resume;
  Function destroy;
  const char* file;   // the file of the coroutine: its promise points to this SkewedFrame instead
  std::size_t skew;   // the promise stands so many bytes too far from the start of the frame
  SkewedFrame* next;  // in the list of all

  /// Returns by how many bytes a promise with this address is skewed; 0 if its frame is right. A frame stands at a
  /// multiple of the size of two pointers, and two pointers stand in front of the promise.
  static std::size_t skew_of(const void* promise) noexcept {
    return reinterpret_cast<std::uintptr_t>(promise) % (2 * sizeof(void*));
  }

  /// Corrects the frame of this promise, which must be skewed and not corrected yet. Any thread may call this. If there
  /// is no memory, it ends the program.
  static const SkewedFrame& correct(void* promise, const char* file) noexcept;

 private:
  static const SkewedFrame& of(void* functions) noexcept;
  static void* frame(void* functions) noexcept { return static_cast<char*>(functions) - of(functions).skew; }
  static void resume_corrected(void* functions) { of(functions).resume(frame(functions)); }
  static void destroy_corrected(void* functions) { of(functions).destroy(frame(functions)); }
  static const SkewedFrame& find(Function resume, Function destroy, const char* file, std::size_t skew);
};

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE const SkewedFrame& SkewedFrame::correct(void* promise, const char* file) noexcept {
  Function* const functions = static_cast<Function*>(promise) - 2;
  const SkewedFrame& known = find(functions[0], functions[1], file, skew_of(promise));
  functions[0] = &resume_corrected;
  functions[1] = &destroy_corrected;
  return known;
}

ERRAND_COLD ERRAND_ONCE const SkewedFrame& SkewedFrame::find(Function resume, Function destroy, const char* file,
                                                             std::size_t skew) {
  static constinit std::atomic<SkewedFrame*> first = nullptr;
  for (const SkewedFrame* each = first.load(std::memory_order_acquire); each; each = each->next) {
    if (each->resume == resume) return *each;
  }
  auto* const made = new SkewedFrame{resume, destroy, file, skew, first.load(std::memory_order_relaxed)};
  while (!first.compare_exchange_weak(made->next, made, std::memory_order_release)) continue;
  return *made;
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
