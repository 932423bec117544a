# SPDX-License-Identifier: MIT
"""What is measured, and what it may cost.

`budget` is the aim. `limit` makes a gate fail. It is the budget if errand meets the budget, else today's cost and 3 %
on top, so that a limit can only go down.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    budget: float
    limit: float

    def over(self, value):
        return round(value, 1) > self.limit  # a handful of instructions more or less is noise

    def verdict(self, value):
        if self.over(value):
            return "**over the limit**"
        return "met" if round(value, 1) <= self.budget else "over the budget"


@dataclass(frozen=True)
class Workload:
    name: str
    work: str
    n: int = 1_000_000
    instructions: Cost | None = None  # per operation, counted by callgrind
    size: Cost | None = None  # bytes of heap per task
    one_cpu: bool = False
    without_timer: str | None = None  # the name of the same workload without the timer that is pending here
    program: str | None = None  # part of a real workload, in a program of its own, without a floor
    inside: str | None = None  # only instructions inside this function are counted


WORKLOADS = [
    Workload("W1", "add a task, await its handle", instructions=Cost(300, 300)),
    Workload("W1t", "W1 while one timer is pending", without_timer="W1"),
    Workload("W2", "a million tasks at once, each handle awaited", instructions=Cost(300, 300), size=Cost(200, 200)),
    Workload("W3", "a yield, 1,000 tasks", instructions=Cost(50, 50)),
    Workload("W3t", "W3 while one timer is pending", without_timer="W3"),
    Workload("W4", "await a Coro that does not suspend", instructions=Cost(130, 130)),
    Workload("W4d", "a level of a chain of a million awaits", instructions=Cost(160, 160)),
    Workload("W5", "a million tasks sleep 0 to 100 ms", instructions=Cost(1000, 1000)),
    Workload("W5b", "arm a million random timers, cancel them", instructions=Cost(340, 340)),
    Workload("W5bf", "the same with one constant delay", instructions=Cost(250, 250)),
    Workload("W5bw", "arm a time-out, cancel the oldest of 1,000", instructions=Cost(220, 220)),
    Workload("W5b1", "arm a timer and cancel it, one alone", instructions=Cost(200, 200)),
    Workload("W6", "cancel a sleeper, await its end", n=100_000, instructions=Cost(14_500, 14_500)),
    Workload("W6a", "abort a million sleepers of one delay", instructions=Cost(560, 560)),
    Workload("W6ar", "the same with random delays", instructions=Cost(580, 648)),
    Workload("W6a1", "abort a sleeper, one alone", instructions=Cost(560, 560)),
    Workload("W7", "a round trip over two queues of one", instructions=Cost(280, 343)),
    Workload("W7t", "W7 while one timer is pending", without_timer="W7"),
    Workload("W7b", "an item through a queue of 64", instructions=Cost(90, 90)),
    Workload("W8", "post from another thread, on one CPU", one_cpu=True),
    Workload("W11", "an error through eleven levels of Coro", n=1_000, instructions=Cost(165_000, 165_000)),
    Workload("W9", "a sleeper that can be cancelled", n=200_000, size=Cost(256, 272)),
    Workload("W9n", "the same, found by its name", n=200_000, size=Cost(430, 430)),
]


def real(name, work, today, program, inside=None):
    """A part of a real workload, which may cost what it costs today."""
    return Workload(name, work, instructions=Cost(today, round(1.03 * today)), program=program, inside=inside)


def named(phase, work, today):
    return real(phase, work, today, "named", f"Named::{phase}()")


REAL = [
    Workload("W3n", "W3 with an Observer of the tasks' ends", instructions=Cost(70, 70), program="observed"),
    real("W3o", "W3 with an Observer of all that it can be told of", 1102, "observed"),
    real("levels", "a round trip to a task that waits under 20 levels of Coro", 3334, "levels"),
    named("add", "add a task with a name", 1291),
    named("start", "its first step, up to its wait", 509),
    named("find", "find it by its name", 243),
    named("cancel", "get it by its name and cancel it", 319),
    named("end", "its end, by Cancelled", 9769),
    named("purge", "forget it, after it has ended", 394),
]
WITH_TIMER = 1.15  # times what a workload costs without the timer
# How many times more an operation may cost if there are a hundred times as many. Timers with random delays stand in a
# heap, and the names get longer. The memory of few tasks that are purged stays with the thread; that of many is given
# back. All else is O(1).
GROWTH = {"W2": 1.1, "W5": 1.25, "W5b": 1.1, "W5bf": 1.1, "W6a": 1.1, "W6ar": 1.1, "W9": 1.1, "add": 1.1, "find": 1.1,
          "cancel": 1.1, "purge": 1.6}
CHECK_N = 2_000  # the number of operations for comparing the contestants' checksums
SIZE_N = 1_000_000  # the number of tasks for measuring the bytes of each
