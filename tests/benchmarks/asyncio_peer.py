#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""asyncio_peer.py WORKLOAD N: the workloads on Python's asyncio, printed as main.cpp does.

A task can't be destroyed from outside: no W6a. A chain of awaits is as deep as the interpreter's stack: no W4d. Names
are for messages only, so W9n finds its sleepers in a dictionary.
"""
import asyncio
import os
import sys
import threading
import time

HOUR = 3600.0


class Memory:
    """What the process grew by between two points."""

    grown = 0

    def begin(self):
        self.grown = -self.resident()

    def end(self):
        self.grown += self.resident()

    @staticmethod
    def resident():
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def random_numbers():
    """The numbers of bench.hpp's Random, before they are brought into a range."""
    state = 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


async def give(i):
    return i


async def spawn_await(n):
    total = 0
    for i in range(n):
        total += await asyncio.create_task(give(i))
    return total


async def spawn_many(n, memory):
    memory.begin()
    tasks = [asyncio.create_task(give(i)) for i in range(n)]
    memory.end()
    total = 0
    for task in tasks:
        total += await task
    return total


async def yielding(n):
    for _ in range(n):
        await asyncio.sleep(0)
    return n


async def yields(n):
    tasks = [asyncio.create_task(yielding(n // 1000)) for _ in range(1000)]
    total = 0
    for task in tasks:
        total += await task
    return total


async def await_coro(n):
    total = 0
    for i in range(n):
        total += await give(i)
    return total


async def sleepers(n):
    numbers = random_numbers()
    for task in [asyncio.create_task(asyncio.sleep(next(numbers) % 100_000_000 / 1e9)) for _ in range(n)]:
        await task
    return n


async def timers(n):
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(n):
        call = loop.call_later(HOUR, lambda: None)
        call.cancel()
        total += call.cancelled()
    return total


def cancel_all(calls):
    for call in calls:
        call.cancel()
    return sum(call.cancelled() for call in calls)


async def random_timers(n):
    loop = asyncio.get_running_loop()
    numbers = random_numbers()
    return cancel_all([loop.call_later(HOUR + next(numbers) % 100_000_000 / 1e9, lambda: None) for _ in range(n)])


async def constant_timers(n):
    loop = asyncio.get_running_loop()
    return cancel_all([loop.call_later(HOUR, lambda: None) for _ in range(n)])


async def timer_window(n):
    loop = asyncio.get_running_loop()
    window = []
    total = 0
    for i in range(n):
        if i >= 1000:
            oldest = window[i % 1000]
            oldest.cancel()
            total += oldest.cancelled()
            window[i % 1000] = loop.call_later(30, lambda: None)
        else:
            window.append(loop.call_later(30, lambda: None))
        if i % 1000 == 0:
            await asyncio.sleep(0)  # the loop removes cancelled timers between its turns
    return total + cancel_all(window)


async def throwing(level):
    if level == 1:
        raise RuntimeError("failed")
    return 1 + await throwing(level - 1)


async def errors(n):
    total = 0
    for _ in range(n):
        try:
            total += await throwing(11)
        except RuntimeError:
            total += 1
    return total


async def cancel_sleeper(n):
    total = 0
    for _ in range(n):
        task = asyncio.create_task(asyncio.sleep(HOUR))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        total += task.cancelled()
    return total


async def get(queue, levels):
    if levels == 0:
        return await queue.get()
    return await get(queue, levels - 1)


async def ping(n, levels=0):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        for _ in range(n):
            await back.put(await (get(there, levels - 1) if levels else there.get()))

    echoing = asyncio.create_task(echo())
    total = 0
    for i in range(n):
        await there.put(i)
        total += await back.get()
    await echoing
    return total


async def stream(n):
    queue = asyncio.Queue(64)

    async def produce():
        for i in range(n):
            await queue.put(i)

    producing = asyncio.create_task(produce())
    total = 0
    for _ in range(n):
        total += await queue.get()
    await producing
    return total


async def posts(n):
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    total = 0

    def add(i):
        nonlocal total
        total += i

    def other():
        for i in range(n):
            loop.call_soon_threadsafe(add, i)
        loop.call_soon_threadsafe(ended.set_result, None)

    thread = threading.Thread(target=other)
    thread.start()
    await ended
    thread.join()
    return total


async def memory_of_sleepers(n, memory):
    memory.begin()
    tasks = [asyncio.create_task(asyncio.sleep(HOUR)) for _ in range(n)]
    await asyncio.sleep(0)
    memory.end()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return n


async def memory_of_named_sleepers(n, memory):
    memory.begin()
    tasks = {}
    for i in range(n):
        name = f"sleeper {i}"
        tasks[name] = asyncio.create_task(asyncio.sleep(HOUR), name=name)
    await asyncio.sleep(0)
    memory.end()
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return n


def with_timer(work):
    """The workload while one timer is pending."""

    async def timed(n):
        asyncio.get_running_loop().call_later(HOUR, lambda: None)
        return await work(n)

    return timed


async def ping_under_levels(n):
    return await ping(n, 20)


WORKLOADS = {
    "W1": spawn_await,
    "W2": spawn_many,
    "W3": yields,
    "W4": await_coro,
    "W5": sleepers,
    "W5b": random_timers,
    "W5bf": constant_timers,
    "W5bw": timer_window,
    "W5b1": timers,
    "W6": cancel_sleeper,
    "W7": ping,
    "W7b": stream,
    "W8": posts,
    "W9": memory_of_sleepers,
    "W9n": memory_of_named_sleepers,
    "W11": errors,
    "W1t": with_timer(spawn_await),
    "W3t": with_timer(yields),
    "W7t": with_timer(ping),
    "levels": ping_under_levels,
}
MEASURE_MEMORY = (spawn_many, memory_of_sleepers, memory_of_named_sleepers)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(2)
    name, n = sys.argv[1], int(sys.argv[2])
    times = int(sys.argv[3]) if len(sys.argv) == 4 else 1
    workload = WORKLOADS.get(name)
    if workload is None:
        print(f"bench: no workload {name} here", file=sys.stderr)
        sys.exit(3)
    grown = None
    for _ in range(times):
        memory = Memory()
        arguments = (n, memory) if workload in MEASURE_MEMORY else (n,)
        begin = time.perf_counter_ns()
        checksum = asyncio.run(workload(*arguments))
        took = time.perf_counter_ns() - begin
        if grown is None:
            grown = memory.grown
    print(f"{name} {took / n:.1f} ns {grown / n:.1f} bytes {checksum}")


if __name__ == "__main__":
    main()
