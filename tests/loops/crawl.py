# SPDX-License-Identifier: MIT
"""examples/crawl with 500 addresses of a server that counts, in a file and on a terminal, and ^C in the middle.

    python3 tests/loops/crawl.py PROGRAM TEST_OF_THE_REACTOR
"""
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

from crawl_server import LARGE, CrawlServer
from server import settles

os.environ["no_proxy"] = "*"
TOTALS = r"(\d+) of (\d+) fetched, (\d+) failed, (\d+) MB in (\d+\.\d) s, \d+\.\d addresses a second"
PASSING = {  # failures that get three attempts
    "broken": "status 503",
    "cut": "Transferred a partial file",
    "reset": "Failure when receiving data from the peer",
}
LASTING = {"missing": "status 404", "hostile": "status 404", "circle": "Number of redirects hit maximum amount"}


def crawl(*arguments, **options):
    return subprocess.run([program, *arguments], capture_output=True, timeout=60, **options)


def table_of(output):
    """The rows as {address: (attempts, failure)}, and the totals. Each line must be as it is expected."""
    assert re.fullmatch(b"[ -~\n]*", output), output
    *lines, totals = output.decode().splitlines()
    assert re.fullmatch(TOTALS, totals), totals
    rows = {}
    for line in lines:
        address, attempts, failure = re.fullmatch(r"(.{%d})  (.{8})  (\S.*)" % lines[0].index("  attempts"), line).groups()
        rows[address.rstrip()] = (attempts.rstrip(), failure)
    assert not rows or rows.pop("address") == ("attempts", "failure")
    return rows, [float(number) for number in re.fullmatch(TOTALS, totals).groups()]


def is_quiet(errors):
    """Nothing of a sanitizer, no leak, and no report of a task; only what tells how far it is."""
    assert re.fullmatch(rb"(\d+ of \d+ fetched, \d+ failed, \d+ MB\n)*", errors), errors.decode(errors="replace")[:4000]


def many_addresses():
    counts = {"slow": 60, "missing": 10, "flaky": 10, "broken": 5, "cut": 3, "reset": 3, "redirect": 1, "circle": 1,
              "large": 1, "hostile": 1}
    paths = [f"/{kind}/{n}" for kind, count in counts.items() for n in range(count)]
    others = {
        "http://127.0.0.1:1/": ("3", "Couldn't connect to server"),
        "http://127.0.0.1:port/": ("1", "URL using bad/illegal format or missing URL"),
        "file:///etc/passwd": ("1", "Unsupported protocol"),
    }
    paths += [f"/fast/{n}" for n in range(500 - len(paths) - len(others))]
    random.shuffle(paths)
    server.requests.clear()
    server.most_at_once = 0
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join([*others, *(server.address + path for path in paths)]))
        file.flush()
        result = crawl(file.name)
    is_quiet(result.stderr)
    assert result.returncode == 1, result
    rows, (fetched, total, failed, megabytes, seconds) = table_of(result.stdout)
    expected = dict(others)
    for path in paths:
        kind = path.split("/")[1]
        if failure := PASSING.get(kind) or LASTING.get(kind):
            expected[server.address + path] = ("3" if kind in PASSING else "1", failure)
        attempts = {"circle": 11, "flaky": 3, **dict.fromkeys(PASSING, 3)}.get(kind, 1)
        asked = server.requests[path]
        # If a connection that it uses again is reset, libcurl itself asks once more.
        assert asked == attempts or (kind == "reset" and asked > attempts) or path == "/fast/0", (path, asked)
    assert rows == expected, (rows, expected)
    assert (fetched, total, failed, megabytes) == (500 - len(expected), 500, len(expected), LARGE / 1e6)
    assert server.most_at_once <= 20, server.most_at_once
    print(f"500 addresses in {seconds} s, {len(rows)} of them failed as they should")


def silent_addresses():
    addresses = [f"{server.address}/silent/{n}" for n in range(30)]
    result = crawl("--timeout", "0.3", *addresses)
    is_quiet(result.stderr)
    rows, (fetched, total, failed, _, _) = table_of(result.stdout)
    assert rows == dict.fromkeys(addresses, ("3", "timed out")), rows
    assert (fetched, total, failed) == (0, 30, 30)
    assert all(server.requests[f"/silent/{n}"] <= 3 for n in range(30))


def so_many_at_once(at_once, *options):
    server.most_at_once, server.crowd = 0, at_once
    addresses = "\n".join(f"{server.address}/crowd/{n}" for n in range(3 * at_once))
    result = crawl(*options, "-", input=addresses.encode())
    is_quiet(result.stderr)
    assert result.returncode == 0 and table_of(result.stdout)[0] == {}, result
    assert server.most_at_once == at_once, server.most_at_once


def refuses():
    for arguments in ([], ["--at-once", "0", "-"], ["--at-once", "x", "-"], ["--timeout", "-1", "-"], ["--timeout", "nan", "-"]):
        result = crawl(*arguments, input=b"http://127.0.0.1:1/")
        assert result.returncode == 2 and result.stderr.startswith(b"usage: crawl"), result
    result = crawl("\x1b[2J")
    assert (result.returncode, result.stderr) == (1, b"crawl: cannot read ?[2J\n"), result
    result = crawl("-", input=b" \n")
    assert (result.returncode, result.stderr) == (1, b"crawl: no address in -\n"), result
    result = crawl(tempfile.gettempdir())  # libc++ takes a directory for an empty file
    assert result.returncode == 1 and re.match(b"crawl: (cannot read|no address in) /", result.stderr), result
    hostile = b"http://127.0.0.1:1/\x1b[2J http://\xc2\x9b2J.invalid/ http://127.0.0.1:1/a\0b " + server.address.encode() + b"/hostile/\xff"
    rows, _ = table_of(crawl("-", input=hostile).stdout)
    assert len(rows) == 4 and all(failure != "" for _, failure in rows.values()), rows


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *arguments):
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            os.execv(program, [program, *arguments])
        self.output = b""

    def read(self):
        """Reads what is there, up to 64 kB. Returns False at the end."""
        try:
            read = os.read(self.descriptor, 1 << 16)
        except OSError:  # there is nobody at the other end any more
            read = b""
        self.output += read
        return read != b""

    def has_output(self, seconds):
        """Waits for output or the end, and returns False if neither comes in this time."""
        return seconds > 0 and select.select([self.descriptor], [], [], seconds)[0] != []

    def press_interrupt(self):
        os.write(self.descriptor, b"\x03")

    def end(self):
        """Returns the exit status, and what is left on the screen. Kills the program if it does not end in 30 s."""
        until = time.monotonic() + 30
        while self.has_output(until - time.monotonic()) and self.read():
            pass
        if time.monotonic() >= until:
            os.kill(self.process, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        os.close(self.descriptor)
        *bars, rest = self.output.split(b"\r\x1b[K")
        for bar in bars[1:]:
            assert re.fullmatch(rb"\[#* *\] \d+ of \d+ fetched, \d+ failed, \d+ MB(\^C)?", bar), self.output
        return status, rest.replace(b"\r\n", b"\n"), len(bars)


def on_a_terminal():
    terminal = Terminal(*[f"{server.address}/slow/{n}" for n in range(200)], server.address + "/missing/99")
    status, rest, bars = terminal.end()
    assert status == 1 and bars > 3, terminal.output
    assert table_of(rest)[0] == {server.address + "/missing/99": ("1", "status 404")}, rest


def interrupt():
    """With ^C on a terminal, and with SIGINT and SIGTERM if the output is a file."""
    numbers = range(100, 110)
    endless = [f"/{kind}/{n}" for kind in ("silent", "drip") for n in numbers]
    paths = [f"/missing/{n}" for n in numbers] + endless + [f"/late/{n}" for n in range(200)]
    waits = [server.address + path for path in paths]
    rows = {f"{server.address}/missing/{n}": ("1", "status 404") for n in numbers}

    def ends_in_order(begin, status, output):
        took = time.monotonic() - begin
        assert took < 1, took
        shown, totals = table_of(output)
        assert (status, shown, totals[:3]) == (130, rows, [0, len(waits), 10]), output
        return took

    def is_under_way():  # then all of the missing ones have failed, because their places are taken
        return all(server.requests[path] > asked[path] for path in endless)

    took = []
    asked = server.requests.copy()
    terminal = Terminal(*waits)
    settles(is_under_way, True)
    time.sleep(0.2)
    begin = time.monotonic()
    terminal.press_interrupt()
    status, rest, _ = terminal.end()
    took.append(ends_in_order(begin, status, rest))
    for number in (signal.SIGINT, signal.SIGTERM):
        asked = server.requests.copy()
        process = subprocess.Popen([program, *waits], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        settles(is_under_way, True)
        time.sleep(0.2)
        begin = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
        is_quiet(errors)
        took.append(ends_in_order(begin, process.returncode, output))
    print(f"after ^C it has ended in {max(took):.2f} s at most")


program, test = sys.argv[1:]
server = CrawlServer()
subprocess.run([test, server.address], check=True, timeout=60)
many_addresses()
silent_addresses()
so_many_at_once(20)
so_many_at_once(1, "--at-once", "1")
so_many_at_once(77, "--at-once", "77")
refuses()
on_a_terminal()
interrupt()
