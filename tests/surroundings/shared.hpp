// SPDX-License-Identifier: MIT
#pragma once

#include <errand/errand.hpp>
#include <string>

// The functions of plugin.cpp, which is a shared library or another file of the same program.

#define ERRAND_TEST_API __attribute__((visibility("default")))

ERRAND_TEST_API std::string name_of_current_app();
ERRAND_TEST_API errand::Coro<int> count_down(int from);
ERRAND_TEST_API errand::Task<int> add_named(errand::App& app, const std::string& name);
ERRAND_TEST_API errand::Coro<> time_out();
ERRAND_TEST_API errand::Coro<> sleep_for_ever();
ERRAND_TEST_API errand::Coro<> throw_not_found(errand::App& app);
