# SPDX-License-Identifier: MIT
"""Builds the contestants and runs their workloads."""
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workloads import CHECK_N

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REGISTRY = Path("/usr/share/cargo/registry")  # where Debian's librust-*-dev are
CXX = os.environ.get("CXX", "g++")
CXXFLAGS = os.environ.get("CXXFLAGS", "-std=c++20 -O2 -DNDEBUG")
CLANGXX = os.environ.get("CLANGXX", "clang++-19")  # for TooManyCooks, which recommends Clang
CHECKOUTS = ("corral", "tmc", "libcoro")  # peers that are no packages
NO_SUCH_WORKLOAD = 3  # a contestant's exit status


class Skipped(Exception):
    """Why a peer does not take part."""


def call(command, **options):
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def need(tool):
    found = shutil.which(tool)
    if not found:
        raise Skipped(f"no {tool}")
    return found


def first_line(command):
    return call(command).splitlines()[0]


# ---- How each is built: a command, and the versions of what it is built with ----------------------------------------


def compiler(*arguments):
    return [*shlex.split(CXX), *shlex.split(CXXFLAGS), f"-I{ROOT / 'include'}", *map(str, arguments)]


def build_cpp(name, out, *flags):
    """Builds the workloads of NAME.cpp."""
    program = out / name.replace("/", "-")
    call(compiler(*flags, HERE / f"{name}.cpp", HERE / "main.cpp", "-pthread", "-o", program))
    return [program], first_line([*shlex.split(CXX), "--version"])


def asio_version():
    version = subprocess.run(
        compiler("-DASIO_STANDALONE", "-E", "-P", "-x", "c++", "-"),
        input="#include <asio/version.hpp>\nASIO_VERSION", text=True, capture_output=True, check=False)
    if version.returncode:
        raise Skipped("no asio/version.hpp (libasio-dev)")
    number = int(version.stdout.split()[-1])
    return f"Asio {number // 100000}.{number // 100 % 1000}.{number % 100}"


def build_asio(options):
    version = asio_version()
    command, _ = build_cpp("asio", options.out, "-DASIO_STANDALONE")
    return command, version


def build_asyncio(_):
    return [sys.executable, HERE / "asyncio_peer.py"], "Python " + sys.version.split()[0]


def build_tokio(options):
    cargo = need("cargo")
    crates = sorted(REGISTRY.glob("tokio-1.*"))
    if not crates:
        raise Skipped(f"no tokio in {REGISTRY} (librust-tokio-dev)")
    package = options.out / "tokio-package"  # a copy, because cargo writes files beside the sources
    shutil.copytree(HERE / "tokio", package, dirs_exist_ok=True)
    debian = ['source.crates-io.replace-with="debian"', f'source.debian.directory="{REGISTRY}"']
    call([cargo, "build", "-j1", "--release", "--offline", "--quiet", "--target-dir", package / "target",
          *(word for setting in debian for word in ("--config", setting))], cwd=package)
    rust = first_line([cargo, "--version"]).split()[1]
    return [package / "target/release/tokio"], crates[-1].name.replace("-", " ") + f" (cargo {rust})"


def build_go(options):
    go = need("go")
    cache = {"GOCACHE": str(options.out / "go-cache"), **os.environ}
    call([go, "build", "-o", options.out / "go", HERE / "go/main.go"], env=cache)
    return [options.out / "go"], " ".join(first_line([go, "version"]).split()[2:3])


def need_checkout(options, name):
    """Returns the directory of one of CHECKOUTS, which an option or the environment gives."""
    path = getattr(options, name)
    if not path:
        raise Skipped(f"no checkout (--{name} PATH)")
    return path.resolve()


def build_corral(options):
    path = need_checkout(options, "corral")
    asio_version()
    command, _ = build_cpp("corral", options.out, "-isystem", path, "-DASIO_STANDALONE")
    version = re.search(r"CORRAL_VERSION (\S+)\)", (path / "CMakeLists.txt").read_text(encoding="utf-8"))
    return command, f"corral {version[1]}"


def build_tmc(options):
    path = need_checkout(options, "tmc")
    clang = need(CLANGXX)
    program = options.out / "tmc"
    call([clang, *shlex.split(CXXFLAGS), "-isystem", path / "include", HERE / "tmc.cpp", HERE / "main.cpp", "-pthread",
          "-o", program])
    header = (path / "include/tmc/version.hpp").read_text(encoding="utf-8")
    version = ".".join(re.findall(r"VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))
    return [program], f"TooManyCooks {version} ({first_line([clang, '--version'])})"


def build_libcoro(options):
    path = need_checkout(options, "libcoro")
    generated = options.out / "libcoro-generated"  # what its CMakeLists.txt would write
    (generated / "coro").mkdir(parents=True, exist_ok=True)
    (generated / "coro/export.hpp").write_text("#pragma once\n#define CORO_EXPORT\n", encoding="utf-8")
    sources = [*path.glob("src/*.cpp"), *path.glob("src/detail/*.cpp")]
    sources.remove(path / "src/detail/io_notifier_kqueue.cpp")
    command, _ = build_cpp("libcoro", options.out, "-isystem", path / "include", "-isystem", generated, *sources)
    return command, "libcoro"


@dataclass(frozen=True)
class Contestant:
    build: Callable
    colour: str  # in the chart


CONTESTANTS = {  # in the order of the table
    "floor": Contestant(lambda options: build_cpp("floor", options.out), "#888888"),
    "errand": Contestant(lambda options: build_cpp("errand", options.out), "#c0392b"),
    "Asio": Contestant(build_asio, "#2e86c1"),
    "corral": Contestant(build_corral, "#34495e"),
    "TooManyCooks": Contestant(build_tmc, "#a04000"),
    "libcoro": Contestant(build_libcoro, "#839192"),
    "tokio": Contestant(build_tokio, "#d68910"),
    "Go": Contestant(build_go, "#17a589"),
    "asyncio": Contestant(build_asyncio, "#7d3c98"),
}
OURS = ("floor", "errand")
SLOWER = {"asyncio": 20}  # does that many times fewer operations than the others


@dataclass
class Program:
    command: list
    version: str


def build(options, names):
    programs = {}
    for name in names:
        try:
            programs[name] = Program(*CONTESTANTS[name].build(options))
        except Skipped as why:
            print(f"{name}: skipped, {why}", flush=True)
        except RuntimeError as error:
            if name in OURS:
                raise
            print(f"{name}: skipped, does not build:\n{error}", flush=True)
        else:
            print(f"{name}: {programs[name].version}", flush=True)
    return programs


# ---- One run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    ns: float
    bytes: float
    checksum: int


def on_first_cpu():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


# With these, glibc's malloc keeps the memory of the first time for the second one.
KEEPS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}


def measure(program, workload, n, times=1):
    """Returns what the program prints, or None if it has no such workload.

    The time is that of the last of `times` runs in one process, the bytes are those of the first.
    """
    done = subprocess.run([*program.command, workload.name, str(n), str(times)], text=True, capture_output=True,
                          check=False, timeout=600, preexec_fn=on_first_cpu if workload.one_cpu else None,
                          env=os.environ | (KEEPS_MEMORY if times > 1 else {}))
    if done.returncode == NO_SUCH_WORKLOAD:
        return None
    printed = re.fullmatch(r"\S+ (\S+) ns (\S+) bytes (-?\d+)\s*", done.stdout)
    if done.returncode or not printed:
        raise RuntimeError(f"{program.command[-1]} {workload.name} {n}: {done.returncode}\n{done.stdout}{done.stderr}")
    return Result(float(printed[1]), float(printed[2]), int(printed[3]))


def count_instructions(program, workload, n):
    """Returns the instructions of an operation, without those that n operations share."""
    n = min(n, workload.n)
    inside = [f"--toggle-collect=*{workload.inside}"] if workload.inside else []

    def collected(times):
        said = call(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *inside, *program.command,
                     workload.name, str(times)])
        return int(re.search(r"Collected : (\d+)", said)[1])

    return (collected(2 * n) - collected(n)) / n


def check(programs, workloads):
    """Returns the names of the programs that have each workload. Their checksums must be equal."""
    taking_part = {}
    for workload in workloads:
        results = {name: measure(program, workload, CHECK_N) for name, program in programs.items()}
        checksums = {name: result.checksum for name, result in results.items() if result}
        if len(set(checksums.values())) > 1:
            raise RuntimeError(f"{workload.name}: the checksums differ: {checksums}")
        taking_part[workload.name] = list(checksums)
    return taking_part


def operations(workload, name, scale):
    """Returns how many operations this contestant is timed for."""
    n = workload.n * scale / SLOWER.get(name, 1)
    return max(CHECK_N, round(n / 1000) * 1000)  # a multiple of 1,000, because W3 has 1,000 tasks
