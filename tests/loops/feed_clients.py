# SPDX-License-Identifier: MIT
"""Websocket clients of examples/asio_websocket_feed, which come and go at random; no task and no descriptor is left.

    python3 tests/loops/feed_clients.py PROGRAM [COUNT]
"""
import asyncio
import random
import socket
import struct
import sys
import time

import websockets

from server import FeedServer, raise_descriptor_limit, settles

ROUNDS = 3


async def connect(server):
    return await websockets.connect(server.url.replace("http", "ws") + "/feed", open_timeout=30, ping_interval=None)


async def hear(ws, message):
    while await asyncio.wait_for(ws.recv(), 30) != message:
        pass


async def closes(ws):
    await ws.close()


async def speaks_and_closes(ws):
    await ws.send("bye")
    await ws.close()


async def is_killed(ws):
    """A reset instead of an orderly end."""
    tcp = ws.transport.get_extra_info("socket")
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ws.transport.abort()


async def hangs_up(ws):
    """An end of the stream without a websocket's close."""
    ws.transport.abort()


async def is_killed_in_a_message(ws):
    ws.transport.write(b"\x81\xfe\x10\x00half")
    await asyncio.sleep(0)
    await is_killed(ws)


async def breaks_the_protocol(ws):
    ws.transport.write(b"\xff" * 64)
    await asyncio.sleep(random.random() / 10)
    await hangs_up(ws)


async def breaks_the_protocol_and_stays(ws):
    """Sends a bad frame, and neither reads nor closes: the server gives up after its time-out for a close."""
    ws.transport.pause_reading()
    ws.transport.write(b"\xff" * 64)


async def stays_in_half_a_frame(server):
    """Sends half a frame and keeps the connection. Gives the writer, which keeps it open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x81\xfe\x10\x00half")
    return writer


async def says_half_a_request(server):
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /feed HTTP/1.1\r\nUpgr")
    return writer


WAYS = [closes, speaks_and_closes, is_killed, hangs_up, is_killed_in_a_message, breaks_the_protocol]


async def fails_to_shake_hands(server):
    """Opens a connection, says nothing or half a request, and goes."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /feed HTTP/1.1\r\nUpgr" * random.randrange(2))
    await asyncio.sleep(random.random() / 10)
    writer.transport.abort()


async def come_and_go(server):
    for _ in range(ROUNDS):
        await asyncio.sleep(random.random())
        if random.randrange(8) == 0:
            await fails_to_shake_hands(server)
        else:
            ws = await connect(server)
            await asyncio.sleep(random.random())
            await random.choice(WAYS)(ws)


async def scenario(server, count):
    clients = await asyncio.gather(*(connect(server) for _ in range(count)))
    table = await asyncio.to_thread(server.tasks)
    assert sum(name.startswith("receiver:") for name in table) == count, table
    assert len(table) == 2 * count + 2, table  # the receivers and their connections, accept and tick
    assert server.descriptors() >= server.descriptors_at_rest + count
    await asyncio.to_thread(server.dispatch, "for all")
    await asyncio.gather(*(hear(ws, "for all") for ws in clients))
    await asyncio.gather(*(random.choice(WAYS)(ws) for ws in clients))
    await asyncio.to_thread(server.check_rest)

    await asyncio.gather(*(come_and_go(server) for _ in range(count)))
    await asyncio.to_thread(server.check_rest)

    clients = await asyncio.gather(*(connect(server) for _ in range(10)))
    await clients[0].send("the last")
    await asyncio.to_thread(settles, lambda: len(server.tasks()), 22)
    for name in random.sample([name for name in server.tasks() if name.startswith("receiver:")], 5):
        await asyncio.to_thread(server.cancel, name)
    await asyncio.to_thread(settles, lambda: len(server.tasks()), 12)
    closed = [asyncio.create_task(ws.wait_closed()) for ws in clients]
    done, left = await asyncio.wait(closed, timeout=2)
    assert (len(done), len(left)) == (5, 5)
    begun = time.monotonic()
    await asyncio.to_thread(server.stop)
    assert time.monotonic() - begun < 1, time.monotonic() - begun
    await asyncio.wait_for(asyncio.gather(*left), 10)
    assert "Received: bye\n" in server.output() and "Received: the last\n" in server.output()


async def stubborn(server, count):
    """Clients that never close delay neither a cancel nor the end."""
    clients = await asyncio.gather(*(connect(server) for _ in range(count)))
    halves = await asyncio.gather(*(stays_in_half_a_frame(server) for _ in range(count)))
    silent = await asyncio.gather(*(says_half_a_request(server) for _ in range(count)))
    receivers = [name for name in await asyncio.to_thread(server.tasks) if name.startswith("receiver:")]
    assert len(receivers) == 2 * count, receivers
    for ws in clients:
        await breaks_the_protocol_and_stays(ws)
    await asyncio.sleep(0.2)
    for name in random.sample(receivers, count // 2):
        begun = time.monotonic()
        await asyncio.to_thread(server.get, "/cancel", name.encode())  # "it was done" if its read has failed
        assert time.monotonic() - begun < 1, name
    begun = time.monotonic()
    await asyncio.to_thread(server.stop)
    assert time.monotonic() - begun < 1, time.monotonic() - begun
    for writer in [*halves, *silent]:
        writer.close()
    for ws in clients:
        ws.transport.abort()


async def gives_up(server):
    """A client that breaks the protocol and never closes is disconnected after the time-out for a close."""
    ws = await connect(server)
    half = await says_half_a_request(server)
    await breaks_the_protocol_and_stays(ws)
    await asyncio.to_thread(settles, lambda: [name for name in server.tasks() if name.startswith("receiver:")], [])
    half.close()
    await asyncio.to_thread(server.check_rest)
    ws.transport.abort()


def main():
    count = min(int(sys.argv[2]) if len(sys.argv) > 2 else 200, raise_descriptor_limit() // 2 - 50)
    seed = random.randrange(1 << 32)
    random.seed(seed)
    print(f"{count} websockets, seed {seed}", flush=True)
    with FeedServer(sys.argv[1]) as server:
        asyncio.run(scenario(server, count))
    with FeedServer(sys.argv[1]) as server:
        asyncio.run(stubborn(server, count // 10))
    with FeedServer(sys.argv[1]) as server:
        asyncio.run(gives_up(server))
    print("no task and no descriptor is left, and ^C ends the server at once")


main()
