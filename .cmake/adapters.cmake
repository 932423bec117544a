# SPDX-License-Identifier: MIT
# Which headers a program includes by name alone: neither errand.hpp nor the single header has them.
set(ERRAND_ADAPTERS "^errand/(asio|posix|descriptor|detail/coro/operation|detail/posix/.*)\\.hpp$")
