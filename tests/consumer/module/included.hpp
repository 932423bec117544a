// SPDX-License-Identifier: MIT
#pragma once

// The functions of included.cpp, which includes errand.hpp. Whoever includes this file has included errand.hpp, or
// imported errand, before.

/// Sends 1, 2 and 3.
errand::Coro<> send(errand::Queue<int>& numbers);

/// Fails with `TaskNotFound`.
errand::Coro<> fail(errand::App& app);

/// Waits for an event of the App, and returns its payload.
errand::Coro<int> wait_for_payment(errand::App& app);

/// Returns the App whose loop runs on this thread.
errand::App& current_app();
