// SPDX-License-Identifier: MIT
#pragma once

#include "support.hpp"

namespace support {

struct HeldClock {
  errand::ManualClock time{errand::ManualClock::held};
  errand::AppConfig config() { return {.clock = &time}; }
};

/// An App whose time stands still, for looking at its tasks. A test makes the turns.
struct HeldFixture : HeldClock, Fixture {
  HeldFixture() : Fixture(config()) {}

  errand::Event event;

  void turns(int count = 3) {
    for (int i = 0; i < count; ++i) app.poll();
  }
  std::string table() {
    std::ostringstream text;
    app.dump_tasks(text);
    return text.str();
  }
};

}  // namespace support
