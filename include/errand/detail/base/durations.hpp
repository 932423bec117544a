// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>
#include <numeric>
#include <ratio>
#include <type_traits>

namespace errand::detail {

using Nanoseconds = std::chrono::nanoseconds;

/// Returns any duration in nanoseconds, rounded up. If it does not fit, returns the largest or the smallest duration.
template <class Rep, class Period>
constexpr Nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> duration) noexcept;

/// Returns a time point of any precision in nanoseconds since the epoch of its clock, rounded up as a duration is.
template <class C, class Duration>
constexpr std::chrono::time_point<C, Nanoseconds> to_nanoseconds(std::chrono::time_point<C, Duration> when) noexcept {
  return std::chrono::time_point<C, Nanoseconds>(detail::to_nanoseconds(when.time_since_epoch()));
}

// Implementation

/// Converts a count of periods to nanoseconds: `count * factor / divisor`. A period is `Period::num / Period::den`
/// seconds long.
template <class Period>
struct NanosecondsOf {
  static constexpr std::uint64_t most = 9'223'372'036'854'775'807;  // the largest std::int64_t
  static constexpr std::uint64_t common =
      std::gcd(static_cast<std::uint64_t>(Period::den), std::uint64_t{std::nano::den});
  static constexpr std::uint64_t numerator = Period::num;
  static constexpr std::uint64_t nanos = std::nano::den / common;

  static constexpr std::uint64_t divisor = Period::den / common;
  static constexpr std::uint64_t factor = numerator * nanos;  // right only if `is_exact`
  /// True if nothing in `of` can overflow. This holds for every period that anybody counts in.
  static constexpr bool is_exact = numerator <= most / nanos && numerator * nanos <= most / divisor;

  /// Converts a count, which must not be negative. Returns more than `most` if the result does not fit.
  static constexpr std::uint64_t of(std::uint64_t count, bool rounds_up) noexcept {
    const std::uint64_t whole = count / divisor;
    if (whole > most / factor) return most + 1;
    const std::uint64_t rest = count % divisor * factor;
    return whole * factor + rest / divisor + (rounds_up && rest % divisor > 0);
  }
};

/// Converts a count that may have a fraction, as precisely as its type allows.
template <class Rep, class Period>
constexpr Nanoseconds fraction_to_nanoseconds(Rep count) noexcept {
  const Rep exact =
      count * static_cast<Rep>(Period::num) * static_cast<Rep>(std::nano::den) / static_cast<Rep>(Period::den);
  constexpr Rep most = static_cast<Rep>(9'223'372'036'854'775'807);  // most types round this to 2^63
  if (exact >= most) return Nanoseconds::max();
  if (!(exact > -most)) return Nanoseconds::min();  // NaN becomes the smallest duration, too
  const Nanoseconds whole(static_cast<std::int64_t>(exact));
  return static_cast<Rep>(whole.count()) < exact ? whole + Nanoseconds(1) : whole;
}

template <class Rep, class Period>
constexpr Nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> duration) noexcept {
  using Of = NanosecondsOf<typename Period::type>;
  if constexpr (std::is_same_v<std::chrono::duration<Rep, Period>, Nanoseconds>) {
    return duration;
  } else if constexpr (std::is_integral_v<Rep> && Of::is_exact) {
    const bool is_negative = duration.count() < Rep{};
    if constexpr (sizeof(Rep) > sizeof(std::uint64_t)) {
      constexpr Rep most = static_cast<Rep>(static_cast<std::uint64_t>(-1));
      if (duration.count() > most) return Nanoseconds::max();
      if (is_negative && duration.count() < -most) return Nanoseconds::min();
    }
    const auto count = static_cast<std::uint64_t>(duration.count());
    const std::uint64_t nanoseconds = Of::of(is_negative ? 0 - count : count, !is_negative);
    if (nanoseconds > Of::most) return is_negative ? Nanoseconds::min() : Nanoseconds::max();
    const auto size = static_cast<std::int64_t>(nanoseconds);
    return Nanoseconds(is_negative ? -size : size);
  } else if constexpr (std::is_integral_v<Rep>) {
    return detail::fraction_to_nanoseconds<long double, typename Period::type>(
        static_cast<long double>(duration.count()));
  } else if constexpr (std::is_floating_point_v<Rep>) {
    return detail::fraction_to_nanoseconds<Rep, typename Period::type>(duration.count());
  } else {
    return std::chrono::ceil<Nanoseconds>(duration);  // `Rep` is a type of the user's
  }
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
