// SPDX-License-Identifier: MIT
#pragma once

// Every workaround for a compiler is in this file, with a name, the number of the bug, and the versions that have it.

// These checks come first. Without them, a program that is compiled for an older standard gets errors about names that
// the standard headers then lack.
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

// NOLINTNEXTLINE(misc-header-include-cycle): the prologue includes this file first
#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <typeinfo>
#include <version>

#if defined(__GLIBCXX__) || defined(_LIBCPPABI_VERSION) || defined(__GNUC__)
#include <cxxabi.h>

#include <cstdlib>
#endif

/// Keeps a function out of line, so that the code of a rare path does not stand inside that of a frequent one.
#if defined(_MSC_VER)
#define ERRAND_NOINLINE __declspec(noinline)
#else
#define ERRAND_NOINLINE [[gnu::noinline]]
#endif

/// Inlines a short function that runs at every switch from task to task. A compiler that sees many calls of it would
/// not inline it by itself.
#if defined(_MSC_VER)
#define ERRAND_INLINE __forceinline
#else
#define ERRAND_INLINE [[gnu::always_inline]] inline
#endif

/// Marks a function that is seldom called: it is compiled for size, and stands apart from the others.
#if defined(_MSC_VER)
#define ERRAND_COLD
#else
#define ERRAND_COLD [[gnu::cold]]
#endif

/// A program may have the functions that are seldom called in one of its files only. If ERRAND_COMPILED is defined in
/// all of its files, errand's headers only declare these functions, and the file that includes compiled.hpp defines
/// them. They stand at the end of each header, below `#if ERRAND_DEFINES`, and begin with `ERRAND_ONCE`. If such a
/// function is virtual, its declaration says ERRAND_ONCE too, because otherwise a compiler may emit the whole class in
/// every file.
#if defined(ERRAND_COMPILED)
#define ERRAND_ONCE
#else
#define ERRAND_ONCE inline
#endif
#if !defined(ERRAND_DEFINES)  // compiled.hpp has defined it
#if defined(ERRAND_COMPILED)
#define ERRAND_DEFINES 0
#else
#define ERRAND_DEFINES 1
#endif
#endif

/// Marks a function that reads a thread-local. Such a function is kept out of line, because a compiler may cache the
/// address of the thread-local across a suspension, after which the coroutine may run on another thread (LLVM 47179,
/// 63022). GCC splits a coroutine before it optimises, and so cannot do this: with GCC the function is inlined.
#if defined(__GNUC__) && !defined(__clang__)
#define ERRAND_READS_THREAD_LOCAL [[gnu::always_inline]]
#else
#define ERRAND_READS_THREAD_LOCAL ERRAND_NOINLINE
#endif

/// AddressSanitizer finds a use after free only if the memory really is freed. So the pool keeps no blocks for later
/// under AddressSanitizer. If this is 0 in any file of a program, the pool keeps no blocks in the whole program.
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

/// All files of a program must agree, but some of them may be compiled without the sanitizer. So each file with the
/// sanitizer defines a weak symbol, and the others look whether it is defined. (Only ELF has weak symbols that may stay
/// undefined. On other systems, all files need the same setting.)
#if defined(__ELF__)
extern "C" {
#if ERRAND_KEEP_BLOCKS
[[gnu::weak, gnu::visibility("default")]] extern const char errand_keeps_no_blocks;
#else
[[gnu::weak, gnu::visibility("default")]] extern const char errand_keeps_no_blocks = 0;
#endif
}
#endif

/// Which functions of the system can be used to handle SIGINT. Darwin has only semaphores with names, and WebAssembly
/// has threads only on request, so that neither has the semaphores and threads that `Alarm` needs.
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

/// libc++ has `std::stop_token` from version 20 on, and before that only on request. If there is none, these classes
/// take its place, and nothing can be asked to stop.
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

/// If a lambda or an aggregate is created inside a full expression with `co_await`, GCC up to 12 destroys the captures
/// of the lambda, or the members of the aggregate, twice (GCC 98401, 99576, 100611, 101367).
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

/// Returns true if a block that was given back may be kept for later. All files of a program get the same result.
inline bool keeps_blocks() noexcept {
#if ERRAND_KEEP_BLOCKS && defined(__ELF__)
  return &errand_keeps_no_blocks == nullptr;
#else
  return ERRAND_KEEP_BLOCKS != 0;
#endif
}

/// Ends the program with a message. Called by destructors that find misuse, because they cannot throw.
[[noreturn]] void end_program(const char* message) noexcept;

/// Returns the name of a type, for people to read.
std::string type_name(const std::type_info& type);

/// Returns true if both are one type. With libstdc++, type_infos with one name are equal, unless the name begins with
/// `*`. GCC gives this mark to the types that a file has for itself, Clang does not. So two files may each have such a
/// type, with one name, and these different types would be equal. Only a local type of a static operator has a name
/// that does not show it, and is still taken for the other one.
bool is_one_type(const std::type_info& one, const std::type_info& other) noexcept;

/// Frees memory from `operator new(size)`. Clang before 19 has sized deallocation only on request.
inline void free_sized(void* block, std::size_t size) noexcept {
#if defined(__cpp_sized_deallocation)
  ::operator delete(block, size);
#else
  (void)size;
  ::operator delete(block);
#endif
}

/// Returns true if the exception that is being handled is exactly an `E`. Must be called from inside a handler. If the
/// C++ ABI tells the type of the exception, no second throw is needed. Emscripten's `-fexceptions` leaves exceptions to
/// JavaScript, where no function tells the type, and a program that calls one does not link.
template <class E>
bool handling() noexcept {
#if (defined(__GLIBCXX__) || defined(_LIBCPPABI_VERSION) || defined(__GNUC__)) && \
    (!defined(__EMSCRIPTEN__) || defined(__WASM_EXCEPTIONS__))
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

#if ERRAND_DEFINES

[[noreturn]] ERRAND_COLD ERRAND_ONCE void end_program(const char* message) noexcept {
  std::fprintf(stderr, "errand: %s\n", message);
  std::terminate();
}

#if defined(__GLIBCXX__)
/// Returns true if Clang's name of a type shows that one file has the type for itself. The name of a static function,
/// or of a static variable, has an L before it: `ZL4makevE5Thing` is the class Thing in `static make()`. So is the
/// number of an enumeration, `L5Color1E`, but a digit follows its name, or the n of a negative number. A name follows
/// its length.
ERRAND_COLD ERRAND_ONCE bool is_of_one_file(const char* name) noexcept {
  if (std::strstr(name, "_GLOBAL__N_") || std::strstr(name, "$_")) return true;  // an unnamed namespace, a lambda
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const char* after_name = name;
  for (const char* at = name; *at != '\0';) {
    if (!is_digit(*at)) {
      ++at;
      continue;
    }
    const bool is_marked = at > after_name && at[-1] == 'L';
    std::size_t length = 0;
    for (; is_digit(*at); ++at) length = 10 * length + static_cast<std::size_t>(*at - '0');
    const bool is_name = length > 0 && length <= std::strlen(at);
    if (!is_name) continue;  // the bound of an array, or another number
    after_name = at += length;
    if (is_marked && !is_digit(*at) && *at != 'n') return true;
  }
  return false;
}
#endif

ERRAND_COLD ERRAND_ONCE bool is_one_type(const std::type_info& one, const std::type_info& other) noexcept {
  if (&one == &other) return true;
#if defined(__GLIBCXX__)
  // Not only in files that Clang compiles: this function may be GCC's, in a program with files of both.
  if (is_of_one_file(one.name())) return false;
#endif
  return one == other;
}

ERRAND_ONCE std::string type_name(const std::type_info& type) {
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

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
