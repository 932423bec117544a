# SPDX-License-Identifier: MIT
"""A thousand connections at once to examples/posix_reactor, which come and go; no task and no descriptor is left.

    python3 tests/loops/posix_clients.py PROGRAM
"""
import random
import socket
import struct
import sys

from server import Server, raise_descriptor_limit, settles

ROUNDS = 3
COUNT = min(1000, raise_descriptor_limit() // 2 - 50)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.lines = self.socket.makefile("r")

    def say(self, text):
        self.socket.sendall(text.encode())

    def ask(self, command):
        self.say(command + "\n")
        return self.lines.readline().rstrip("\n")

    def close(self):
        self.lines.close()
        self.socket.close()

    def reset(self):
        """As a killed peer: a reset instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def says_quit(client):
    client.say("quit\n")
    assert client.lines.read() == "", "the server closes"
    client.close()


def says_no_more(client):
    client.socket.shutdown(socket.SHUT_WR)
    assert client.lines.read() == "", "the server closes"
    client.close()


def is_killed(client):
    client.reset()


def is_killed_in_a_line(client):
    client.say("echo cut of")
    client.reset()


def is_killed_before_the_answers(client):
    client.say("tasks\n" * 50)
    client.reset()


WAYS = [says_quit, says_no_more, Client.close, is_killed, is_killed_in_a_line, is_killed_before_the_answers]


def main():
    seed = random.randrange(1 << 32)
    random.seed(seed)
    print(f"{COUNT} connections, {ROUNDS} times, seed {seed}", flush=True)
    with Server(sys.argv[1]) as server:
        control = Client(server.port)
        assert control.ask("tasks") == "accept client:1"
        assert control.ask("help").startswith("echo TEXT, ")
        assert control.ask("cancel nobody") == "error: no task is named 'nobody'"
        assert control.ask("cancel client:1").startswith("error: "), "it cannot cancel itself"
        before = server.descriptors()
        count_tasks = lambda: len(control.ask("tasks").split())

        for _ in range(ROUNDS):
            clients = [Client(server.port) for _ in range(COUNT)]
            for i, client in enumerate(clients):
                client.say(f"echo hello {i}\n")
            for i, client in enumerate(clients):
                assert client.lines.readline() == f"hello {i}\n"
            assert count_tasks() == COUNT + 2
            assert server.descriptors() == before + COUNT
            thrown_out = control.ask("tasks").split()[-1]
            assert control.ask(f"cancel {thrown_out}") == f"{thrown_out} is cancelled"
            last = clients.pop()
            assert last.lines.read() == "", "the server closes"
            last.close()
            random.shuffle(clients)
            for client in clients:
                random.choice(WAYS)(client)
            settles(lambda: control.ask("tasks"), "accept client:1")
            settles(server.descriptors, before)

        long_line = "x" * 40000
        assert control.ask(f"echo {long_line}") == long_line
        left = [Client(server.port) for _ in range(10)]
        settles(count_tasks, 12)
        server.stop()
        assert [client.lines.read() for client in left] == [""] * 10
    print("no task and no descriptor is left")


main()
