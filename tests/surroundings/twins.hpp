// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <errand/errand.hpp>

/// What one of two files has, which both have a class of their own called Thing: see twin.cpp.
struct Twin {
  /// Adds a task called `name` that gives a Thing, and puts a Thing into the context.
  void (*add)(errand::App& app, const char* name);
  bool (*is_of_own_type)(errand::App& app, const char* name);
  bool (*has_in_context)(errand::App& app);
  std::any (*make_payload)();
  bool (*is_payload)(const errand::Signal& signal);
};

__attribute__((visibility("default"))) extern const Twin first, second;
