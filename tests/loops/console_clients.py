# SPDX-License-Identifier: MIT
"""The console of examples/console: its file, its commands, and its clients.

    python3 tests/loops/console_clients.py PROGRAM SESSION_FILE

The session file holds what a terminal shows: commands, and the answers below them. Ages, line numbers and the width of
columns may differ.
"""
import json
import os
import re
import signal
import socket
import stat
import sys
import tempfile
import time

from server import Program, settles, text_of

MALFORMED = "error: a line is UTF-8 without control characters\n"
TOO_LONG = "error: a line has at most 1000 bytes\n"


class Console(Program):
    """The program, in a directory of its own."""

    def __init__(self, program, directory):
        self.path, self.trace = f"{directory}/console.sock", f"{directory}/console.json"
        super().__init__(program, directory=directory)
        settles(self.is_open, True)

    def is_open(self):
        try:
            Client(self).close()
            return True
        except OSError:
            return False


class Client:
    def __init__(self, console):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(console.path)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def say(self, line):
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")

    def hear(self):
        """Returns the lines of the next answer."""
        answer = ""
        while (line := self.lines.readline()) not in ("", "\n"):
            answer += line
        return answer

    def ask(self, line):
        self.say(line)
        return self.hear()

    def id_of(self, name):
        return re.search(rf"^(\d+) +{name} ", self.ask("ps"), re.M).group(1)

    def clients(self):
        """Returns how many other clients the console has."""
        return len(re.findall(r"^\d+ +Task-", self.ask("ps"), re.M))

    def close(self):
        self.lines.close()
        self.socket.close()


def masked(text):
    text = re.sub(r"(pp):\d+", r"\1:LINE", text)
    text = re.sub(r"[0-9.e-]+ (ms|s|min)\b", "AGE", text)
    text = re.sub(r"(?<=\S)  +", "  ", text)
    return re.sub(r"^ +", "    ", text, flags=re.M)


def plays_session(program, directory, file):
    """Every command, with the answers that a page shows."""
    with open(file) as opened:
        expected = opened.read()
    # A command stands at the beginning, or below the empty line that ends an answer.
    commands = [answer.split("\n")[0] for answer in expected.split("\n\n") if answer]
    with Console(program, directory) as console:
        client = Client(console)
        settles(client.clients, 0)  # the client that has found the file has gone
        played = "".join(f"{command}\n{client.ask(command)}\n" for command in commands)
        if masked(played) != masked(expected):
            raise SystemExit(f"the session is\n{played}")


def keeps_others_out(console):
    mode = os.lstat(console.path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)


def obeys(console):
    client, other = Client(console), Client(console)
    assert "  worker  " in client.ask("ps") and "  door  " in other.ask("ps")
    table = client.ask("ps oo")
    assert "  door  " in table and "  worker  " not in table
    assert client.ask("ps no such text").count("\n") == 1
    where = client.ask("where " + client.id_of("worker"))
    assert where.count("worker") == 1 and "queue at console.cpp:" in where and "  door  " not in where
    assert re.match(r"tasks: \d+ added, \d+ succeeded, 0 failed, \d+ cancelled, \d+ pending\nloop: ", client.ask("stats"))
    assert client.ask("help").count("\n") == 7
    assert client.ask("signal shop.order.placed a cake for Zoë") == "shop.order.placed: succeeded\n"
    assert "  a cake for Zoë  " in client.ask("ps worker")
    settles(lambda: "Zoë" in client.ask("ps worker"), False)
    assert client.ask("signal nobody.hears.this") == "nobody.hears.this: succeeded\n"

    # A task that takes its time: the answer says what it waits for. The other client need not wait.
    client.say("cancel stock")
    begun = time.monotonic()
    assert other.ask("stats").startswith("tasks: ")
    assert time.monotonic() - begun < 1
    answer = client.hear()
    assert answer.startswith("stock: has not ended yet\n") and "cancelling" in answer and "sleep at console.cpp:" in answer
    settles(lambda: client.ask("cancel stock"), "stock: cancelled\n")
    assert client.ask("cancel door") == "door: cancelled\n"
    settles(console.output, "the door is closed\n")
    assert client.ask("cancel door") == "door: cancelled\n"

    for command, error in {
        "": "'' is no command; try 'help'",
        "PS": "'PS' is no command; try 'help'",
        "stats now": "'stats now' is no command; try 'help'",
        "trace": "'trace' is no command; try 'help'",
        "trace off": "the trace is not on",
        "where": "'' is not the id of a task",
        "where 1x": "'1x' is not the id of a task",
        "where -1": "'-1' is not the id of a task",
        "where 99999999999999999999": "'99999999999999999999' is not the id of a task",
        "where 123456": "no pending task has the id 123456",
        "cancel": "no task is named ''",
        "cancel no such task": "no task is named 'no such task'",
        "signal": "'' is not the name of an event: it must have three parts, namespace.reference.action",
        "signal a.b.*": "'a.b.*' is not the name of an event: a part of it has a character that may not be there",
        "signal server.a.b": "'server.a.b' is not the name of an event: the namespace 'server' is the library's own",
    }.items():
        assert (heard := client.ask(command)) == f"error: {error}\n", heard
    for line in (b"ps \x1b[2J\n", b"\xc2\x9b2J\n", b"\x9b2J\n", b"\xff\n", b"cancel a\0b\n", b"\xe2\x82\n", b"ps\r\n"):
        assert client.ask(line) == MALFORMED, line
    for line in (b"x" * 1001 + b"\n", b"y" * 99_999 + b"\n"):
        assert client.ask(line) == TOO_LONG
    assert client.ask("cancel " + "x" * 993) == f"error: no task is named '{'x' * 993}'\n"

    # Several lines at once, and a last one without an end, as in `printf help | nc -N -U …`.
    client.say(b"trace off\nstats\nhelp")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.hear().startswith("error: ") and client.hear().startswith("tasks: ") and client.hear().startswith("ps ")
    assert client.lines.read() == ""
    client.close()
    other.close()


def traces(console):
    """A trace may be switched on and off at any time; the end of the program ends it."""
    client = Client(console)
    for _ in range(2):
        assert client.ask("trace on") == "tracing into console.json\n"
        assert client.ask("trace on") == "error: the trace is on already\n"
        client.ask("signal shop.order.placed bread")
        settles(lambda: "bread" in client.ask("ps worker"), False)
        assert client.ask("trace off") == "the trace is in console.json\n"
        with open(console.trace) as file:
            events = json.load(file)
        assert any("gather at console.cpp:" in event.get("name", "") for event in events)
    os.remove(console.trace)
    os.mkdir(console.trace)
    assert client.ask("trace on") == "error: cannot open the trace 'console.json': Is a directory\n"
    os.rmdir(console.trace)
    assert client.ask("trace on") == "tracing into console.json\n"
    client.close()


def comes_and_goes(console):
    control = Client(console)
    settles(control.clients, 0)
    before = console.descriptors()
    clients = [Client(console) for _ in range(100)]
    for client in clients:
        client.say("help")
    assert all(client.hear() for client in clients)
    for i, client in enumerate(clients):
        client.say(b"help\n" * (i % 3) + b"cut of")
        client.close()
    settles(console.descriptors, before)
    settles(control.clients, 0)
    control.close()


def is_not_read(console):
    """A client that asks, and never reads: it holds nobody up, not even the end of the program."""
    deaf = Client(console)
    deaf.socket.setblocking(False)
    try:
        while True:
            deaf.socket.send(b"ps\n" * 1000)
    except BlockingIOError:
        pass
    other = Client(console)
    for _ in range(20):
        begun = time.monotonic()
        assert other.clients() == 1
        assert time.monotonic() - begun < 1
    return deaf, other


def ends_soon(console, by, clients, report=None):
    begun = time.monotonic()
    if report:
        console.process.send_signal(by)
        console.process.wait(timeout=30)
        assert report in text_of(console.stderr), text_of(console.stderr)
    else:
        console.stop(by)
    took = time.monotonic() - begun
    assert took < 1, f"{took} s"
    assert not os.path.lexists(console.path)
    assert clients[-1].lines.read() == ""


def reports_failures(program, directory):
    """A failure that a client has caused is reported, and nothing else ends. The console may end itself."""
    console = Console(program, directory)
    client, other = Client(console), Client(console)
    assert client.ask("signal shop.order.placed") == "shop.order.placed: failed\n"
    settles(lambda: "the payload of 'shop.order.placed' is empty" in text_of(console.stderr), True)
    assert "  worker  " in client.ask("ps")
    assert client.ask("cancel console") == "" and other.lines.read() == ""
    settles(lambda: os.path.lexists(console.path), False)
    console.process.terminate()
    assert console.process.wait(timeout=30) == 0 and text_of(console.stderr).count("\n") == 1


def is_told_twice(program, directory):
    """A second signal ends the program where it stands: the file is gone all the same."""
    console = Console(program, directory)
    clients = is_not_read(console)
    console.process.terminate()
    settles(console.output, "the door is closed\n")  # the program waits for the stock now
    ends_soon(console, signal.SIGTERM, clients, "'stock' was still standing")


def shares_no_path(program, directory):
    """A living process keeps its path, a dead one does not, and what is no socket stays as it is."""
    def fails(text):
        other = Program(program, path)
        settles(lambda: text in text_of(other.stderr), True)
        other.process.terminate()
        assert other.process.wait(timeout=30) == 0

    console = Console(program, directory)
    path = console.path
    fails(f"cannot make the console '{path}': Address already in use")
    assert Client(console).ask("stats")
    console.process.send_signal(signal.SIGKILL)
    console.process.wait()
    assert os.path.lexists(path)
    with Console(program, directory) as console:
        keeps_others_out(console)
        os.rename(path, path + ".moved")  # the file at the path is another one now, and so stays
        with open(path, "w") as file:
            file.write("mine")
    fails(f"cannot make the console '{path}': File exists")
    with open(path) as file:
        assert file.read() == "mine"
    os.remove(path)
    path = f"{directory}/{'x' * 120}"
    fails(f"cannot make the console '{path}': File name too long")
    path = f"{directory}/none/console.sock"
    fails(f"cannot make the console '{path}': No such file or directory")


def main():
    program, session = sys.argv[1:]
    os.umask(0)  # the file of the socket is private all the same
    for by in (signal.SIGTERM, signal.SIGINT):
        with tempfile.TemporaryDirectory() as directory, Console(program, directory) as console:
            keeps_others_out(console)
            obeys(console)
            comes_and_goes(console)
            traces(console)
            ends_soon(console, by, is_not_read(console))
            with open(console.trace) as file:
                assert json.load(file)
    with tempfile.TemporaryDirectory() as directory:
        plays_session(program, directory, session)
        shares_no_path(program, directory)
        reports_failures(program, directory)
        is_told_twice(program, directory)
    print("the console works, and nothing is left of it")


main()
