// SPDX-License-Identifier: MIT
// Version 3 of Catch2 has a main function of its own. Version 2 needs this one.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
