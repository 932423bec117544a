# SPDX-License-Identifier: MIT
"""The real workloads: what programs do, of which the others are parts."""
import contextlib
import os
import statistics
import subprocess

from contestants import (CONTESTANTS, HERE, OURS, Program, build, build_cpp, call, check, compiler, measure,
                         operations)
from tables import cell, markdown, number, write
from workloads import REAL

ECHO_SERVERS = {  # in the order of the table
    "echo_posix": "errand, with posix.hpp",
    "echo_asio": "errand on Boost.Asio, with errand/asio.hpp",
    "echo_asio_alone": "coroutines of Boost.Asio, without errand",
}
CONNECTIONS = 64
NAMED_TASKS = 100_000
TASKS_OF_WORKERS = 5_000_000


def build_real(options, name):
    """Builds a program that has its own `main`."""
    program = options.out / name
    call(compiler(HERE / "real" / f"{name}.cpp", "-pthread", "-o", program))
    return program


def build_programs(options, workloads):
    """Builds the programs of these workloads."""
    builders = {"named": lambda: Program([build_real(options, "named")], ""),
                "levels": lambda: Program(*build_cpp("real/levels", options.out)),
                "observed": lambda: Program(*build_cpp("real/observed", options.out))}
    return {workload.program: builders[workload.program]() for workload in workloads}


@contextlib.contextmanager
def running(program, cpu):
    """Runs a server, and gives the port that it prints."""
    with subprocess.Popen(["taskset", "-c", str(cpu), program], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().rsplit(":", 1)[1].strip()
        finally:
            server.terminate()


def echo(options):
    """Requests a second and latencies of echo servers. If there are two CPUs, the client has one of its own."""
    cpus = sorted(os.sched_getaffinity(0))
    load = build_real(options, "load")
    servers = {}
    for name in ECHO_SERVERS:
        try:
            servers[name] = build_real(options, name)
        except RuntimeError as error:
            print(f"{name}: skipped, does not build:\n{error}", flush=True)
    results = {name: [] for name in servers}
    for _ in range(options.rounds):
        for name, program in servers.items():
            with running(program, cpus[0]) as port:
                client = ["taskset", "-c", str(cpus[-1]), load, port, str(CONNECTIONS), str(2 * options.scale)]
                results[name].append([float(figure) for figure in call(client).split()])
    rows = [[ECHO_SERVERS[name], *(number(statistics.median(column)) for column in zip(*of))]
            for name, of in results.items()]
    header = ["server", "requests a second", "median latency, µs", "99 % below, µs"]
    return (f"An echo server, {CONNECTIONS} connections over the loopback, each with a request of 32 bytes under way:"
            "\n\n" + markdown(header, rows, words=1))


def named(options):
    """Times of operations on named tasks."""
    phases = [workload for workload in REAL if workload.program == "named"]
    program = build_programs(options, phases)["named"]
    times = {phase: [measure(program, phase, NAMED_TASKS).ns for _ in range(options.rounds)] for phase in phases}
    rows = [[phase.work, number(statistics.median(of))] for phase, of in times.items()]
    return f"{NAMED_TASKS:,} named tasks, nanoseconds of each:\n\n" + markdown(["work", "errand"], rows, words=1)


def levels(options):
    """Times of a round trip to a task that waits under levels of Coro, beside the peers."""
    workload = next(workload for workload in REAL if workload.program == "levels")
    peers = build(options, [name for name in CONTESTANTS if name not in OURS])
    programs = {"errand": build_programs(options, [workload])["levels"], **peers}
    names = check(programs, [workload])[workload.name]
    results = {name: [] for name in names}
    for _ in range(options.rounds):
        for name, of in results.items():
            of.append(measure(programs[name], workload, operations(workload, name, options.scale)).ns)
    row = [workload.work, *(cell(statistics.median(of)) for of in results.values())]
    return "Twenty levels, nanoseconds of each:\n\n" + markdown(["work", *names], [row], words=1)


def workers(options):
    """Tasks a second of two workers, beside two processes and one."""
    program = build_real(options, "workers")
    n = str(round(TASKS_OF_WORKERS * options.scale))

    def two_processes():
        started = [subprocess.Popen([program, "1", n], stdout=subprocess.PIPE, text=True) for _ in range(2)]
        return sum(float(process.communicate()[0]) for process in started)

    ways = {"one worker": lambda: float(call([program, "1", n])), "two workers": lambda: float(call([program, "2", n])),
            "two processes of one worker": two_processes}
    results = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            results[name].append(way())
    medians = {name: statistics.median(of) for name, of in results.items()}
    rows = [[name, number(rate), f"{rate / medians['two processes of one worker']:.2f}"]
            for name, rate in medians.items()]
    return ("Workers, each of which adds tasks and awaits them:\n\n"
            + markdown(["", "tasks a second", "of two processes"], rows, words=1))


def real(options, _):
    parts = []
    for part in (echo, named, levels, workers):
        print(f"{part.__name__} ...", flush=True)
        parts.append(part(options))
    write(options.out, "real.md", f"Medians of {options.rounds} rounds.\n\n" + "\n".join(parts))
    return True
