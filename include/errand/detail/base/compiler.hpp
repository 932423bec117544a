// SPDX-License-Identifier: MIT
#pragma once

// Every workaround for a compiler stands here, with a name, the number of the bug, and the versions that have it.

// Before all else, since the standard's headers have less in them then, and the rest does not compile.
#if defined(_MSVC_LANG)
#if _MSVC_LANG < 202002L
#error "errand needs C++20: compile with /std:c++20 or later"
#endif
#elif __cplusplus < 202002L
#error "errand needs C++20: compile with -std=c++20 or later"
#endif

#if !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#error "errand needs exceptions: cancellation and failures are carried by them"
#endif
#if !defined(__cpp_rtti) && !defined(_CPPRTTI)
#error "errand needs RTTI: typed look-ups and payloads are checked by it"
#endif

// NOLINTNEXTLINE(misc-header-include-cycle): it includes this one first
#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <typeinfo>
#include <version>

#if defined(__GLIBCXX__) || defined(_LIBCPPABI_VERSION) || defined(__GNUC__)
#include <cxxabi.h>

#include <cstdlib>
#endif

/// Keeps a function out of line: rare paths away from the ones that are taken often.
#if defined(_MSC_VER)
#define ERRAND_NOINLINE __declspec(noinline)
#else
#define ERRAND_NOINLINE [[gnu::noinline]]
#endif

/// Puts a few steps that every switch makes where they are made: a compiler that sees many such places would not.
#if defined(_MSC_VER)
#define ERRAND_INLINE __forceinline
#else
#define ERRAND_INLINE [[gnu::always_inline]] inline
#endif

/// For what happens seldom: as few bytes as can be, and apart from what happens often.
#if defined(_MSC_VER)
#define ERRAND_COLD
#else
#define ERRAND_COLD [[gnu::cold]]
#endif

/// Keeps a function that reads a thread-local out of line, where the compiler would otherwise cache its address across
/// a suspension (LLVM 47179, 63022). GCC splits a coroutine before it optimises, and so does not.
#if defined(__GNUC__) && !defined(__clang__)
#define ERRAND_READS_THREAD_LOCAL [[gnu::always_inline]]
#else
#define ERRAND_READS_THREAD_LOCAL ERRAND_NOINLINE
#endif

/// AddressSanitizer sees a use after free only where memory really is freed: no block is kept for later then. Defined
/// as 0 for any file of a program, that is so in the whole program.
#if !defined(ERRAND_KEEP_BLOCKS) && defined(__SANITIZE_ADDRESS__)
#define ERRAND_KEEP_BLOCKS 0
#elif !defined(ERRAND_KEEP_BLOCKS) && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ERRAND_KEEP_BLOCKS 0
#endif
#endif
#ifndef ERRAND_KEEP_BLOCKS
#define ERRAND_KEEP_BLOCKS 1
#endif

/// All files of a program must agree, though some of them may not have the sanitizer. So each that has it defines a
/// symbol, and the others look for that. (Weak symbols are so only in ELF. Elsewhere all files need the same setting.)
#if defined(__ELF__)
extern "C" {
#if ERRAND_KEEP_BLOCKS
[[gnu::weak, gnu::visibility("default")]] extern const char errand_keeps_no_blocks;
#else
[[gnu::weak, gnu::visibility("default")]] extern const char errand_keeps_no_blocks = 0;
#endif
}
#endif

/// What there is to handle SIGINT with. Darwin has semaphores that a handler may post under a name only, WebAssembly
/// has no threads unless it is asked for them.
#if !defined(_WIN32) && __has_include(<unistd.h>)
#define ERRAND_HAS_SIGACTION 1
#else
#define ERRAND_HAS_SIGACTION 0
#endif
#if ERRAND_HAS_SIGACTION && !defined(__APPLE__) && !defined(__EMSCRIPTEN__)
#define ERRAND_HAS_SEMAPHORES 1
#else
#define ERRAND_HAS_SEMAPHORES 0
#endif

#if defined(__cpp_lib_jthread)
#include <stop_token>
#endif

namespace errand::detail {

/// libc++ has `std::stop_token` from version 20 on, before that on request.
#if defined(__cpp_lib_jthread)
using StopSource = std::stop_source;
using StopToken = std::stop_token;
#else
struct StopToken {};
struct StopSource {
  bool request_stop() noexcept { return false; }
  StopToken get_token() const noexcept { return {}; }
};
#endif

/// GCC up to 12 destroys twice what a lambda captured by value, or an aggregate holds, when it is created inside a full
/// expression with `co_await` (GCC 98401, 99576, 100611, 101367).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
inline constexpr bool frees_temporaries_twice = true;
#else
inline constexpr bool frees_temporaries_twice = false;
#endif

/// GCC, seen with 12.2, lays out the frames of some coroutines wrongly: see skewed_frame.hpp.
#if defined(__GNUC__) && !defined(__clang__)
inline constexpr bool may_skew_frames = true;
#else
inline constexpr bool may_skew_frames = false;
#endif

/// Whether a block that was given back may be kept for later. The same in all files of a program.
inline bool keeps_blocks() noexcept {
#if ERRAND_KEEP_BLOCKS && defined(__ELF__)
  return &errand_keeps_no_blocks == nullptr;
#else
  return ERRAND_KEEP_BLOCKS != 0;
#endif
}

/// Ends the program with a message: for misuse that a destructor sees, which cannot throw.
[[noreturn]] ERRAND_COLD inline void end_program(const char* message) noexcept {
  std::fprintf(stderr, "errand: %s\n", message);
  std::terminate();
}

/// Frees what `operator new(size)` gave. Clang before 19 has sized deallocation only on request.
inline void free_sized(void* block, std::size_t size) noexcept {
#if defined(__cpp_sized_deallocation)
  ::operator delete(block, size);
#else
  (void)size;
  ::operator delete(block);
#endif
}

/// Whether the exception that is being handled is exactly an `E`. Must be called from inside a handler. Where the C++
/// ABI tells the type, this costs no second throw.
template <class E>
bool handling() noexcept {
#if defined(__GLIBCXX__) || defined(_LIBCPPABI_VERSION) || defined(__GNUC__)
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type && *type == typeid(E);
#else
  try {
    throw;
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
#endif
}

/// The name of a type, for people.
inline std::string type_name(const std::type_info& type) {
#if defined(__GLIBCXX__) || defined(_LIBCPPABI_VERSION) || defined(__GNUC__)
  int status = 0;
  char* const text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = text ? text : type.name();
  std::free(text);
  return name;
#else
  return type.name();
#endif
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
