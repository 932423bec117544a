# SPDX-License-Identifier: MIT
"""A thousand clients at once of examples/chat, which come and go; no task and no descriptor is left.

    python3 tests/loops/posix_clients.py PROGRAM
"""
import random
import re
import signal
import socket
import struct
import sys
import time

from server import Server, raise_descriptor_limit, settles

ROUNDS = 3
COUNT = min(1000, raise_descriptor_limit() // 2 - 50)
MALFORMED = "? a line is UTF-8 without control characters, and has at most 1000 bytes"


class Client:
    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.name = re.fullmatch(r"\* you are (guest\d+): .*", self.hear()).group(1)

    def say(self, line):
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")

    def hear(self):
        return self.lines.readline().rstrip("\n")

    def ask(self, line):
        self.say(line)
        return self.hear()

    def is_over(self):
        return self.lines.read() == ""

    def close(self):
        self.lines.close()
        self.socket.close()

    def reset(self):
        """As a killed peer: a reset instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def says_quit(client):
    client.say("/quit")
    assert client.is_over()
    client.close()


def says_no_more(client):
    client.socket.shutdown(socket.SHUT_WR)
    assert client.is_over()
    client.close()


def is_killed_in_a_line(client):
    client.say(b"a line that is cut of")
    client.reset()


def is_killed_before_the_answers(client):
    client.say(b"/who\n" * 50)
    client.reset()


WAYS = [says_quit, says_no_more, Client.close, Client.reset, is_killed_in_a_line, is_killed_before_the_answers]


def talk(server):
    control = Client(server)
    assert control.ask("/who") == "accept guest1 "
    assert control.ask("hello, ä, 漢字") == "guest1: hello, ä, 漢字"
    for line in (b"\x1b[2J\n", b"\xc2\x9b2J\n", b"\x9b2J\n", b"\xff\n", b"a\0b\n", b"\xe2\x82\n", b"x" * 1001 + b"\n", b"y" * 99_999 + b"\n"):
        assert control.ask(line) == MALFORMED, line
    assert control.ask("x" * 1000) == "guest1: " + "x" * 1000
    assert control.ask("/help") == "? there is /who, /kick NAME and /quit"
    assert control.ask("/kick accept") == "? there is /who, /kick NAME and /quit"
    assert control.ask("/kick guest9") == "? there is no such guest"
    quitter = Client(server)
    assert quitter.ask(f"/kick {quitter.name}") == "* kicked"
    assert quitter.hear() == f"* goodbye: kicked by {quitter.name}"
    assert quitter.is_over()
    quitter.close()
    return control


def come_and_go(server, control):
    before = server.descriptors()
    for _ in range(ROUNDS):
        clients = [Client(server) for _ in range(COUNT)]
        assert len(control.ask("/who").split()) == COUNT + 2
        assert server.descriptors() == before + COUNT
        clients[0].say("hello")
        for client in [control] + clients:
            assert client.hear() == f"{clients[0].name}: hello"
        kicked = clients.pop()
        assert control.ask(f"/kick {kicked.name}") == "* kicked"
        assert kicked.hear() == "* goodbye: kicked by guest1"
        assert kicked.is_over()
        kicked.close()
        random.shuffle(clients)
        for client in clients:
            random.choice(WAYS)(client)
        settles(lambda: control.ask("/who"), "accept guest1 ")
        settles(server.descriptors, before)


def ends_soon(program, by):
    """The clients are told, and one that does not read holds nobody up."""
    with Server(program) as server:
        deaf, *clients = [Client(server) for _ in range(100)]
        for _ in range(50):
            clients[0].say((b"z" * 1000 + b"\n") * 50)
            for _ in range(50):
                for client in clients:
                    client.hear()
        begun = time.monotonic()
        server.stop(by)
        took = time.monotonic() - begun
        assert took < 1, f"{took} s"
        assert [client.lines.read() for client in clients] == ["* the server ends\n"] * len(clients)


def goes_idle(program):
    with Server(program, "0", "0.5") as server:
        idle, busy = Client(server), Client(server)
        for _ in range(10):
            time.sleep(0.1)
            assert busy.ask("/help").startswith("? ")
        assert idle.hear() == "* goodbye: idle for too long"
        assert idle.is_over()
        assert busy.ask("/who") == "accept guest2 "


def main():
    seed = random.randrange(1 << 32)
    random.seed(seed)
    print(f"{COUNT} clients, {ROUNDS} times, seed {seed}", flush=True)
    program = sys.argv[1]
    with Server(program) as server:
        come_and_go(server, talk(server))
    goes_idle(program)
    ends_soon(program, signal.SIGTERM)
    ends_soon(program, signal.SIGINT)
    print("no task and no descriptor is left")


main()
