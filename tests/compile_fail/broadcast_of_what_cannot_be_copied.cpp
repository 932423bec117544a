// SPDX-License-Identifier: MIT
// expect: each subscriber of a Broadcast gets a copy of the item
#include <errand/errand.hpp>
#include <memory>

#ifdef ERRAND_TEST_OK
using Item = std::shared_ptr<int>;
#else
using Item = std::unique_ptr<int>;
#endif

void test(errand::Broadcast<Item>& broadcast) { broadcast.send(nullptr); }
