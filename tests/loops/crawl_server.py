# SPDX-License-Identifier: MIT
"""A server of HTTP that does what servers do to a crawler. Alone, it prints its address:

    python3 tests/loops/crawl_server.py

/fast/N answers at once, /slow/N after 50 ms, /late/N after 1 s, /large with 30 MB, /some with 300 kB, /missing/N with
404, /broken/N with 503, /flaky/N twice with 503, /silent/N never, /drip/N a byte in 10 ms, /cut/N a part of what it
announces, /reset/N with a reset, /redirect/N with the address of /fast/N, /circle with its own, /hostile with headers
that a terminal would obey.
"""
import asyncio
import collections
import struct
import socket
import threading

FAST = b"x" * 100
LARGE = 30_000_000


class CrawlServer:
    """Counts the requests for each path, and how many of those that get an answer are under way at once."""

    def __init__(self):
        self.requests, self.at_once, self.most_at_once = collections.Counter(), 0, 0
        self.crowd = 0  # how many requests for /crowd have to be there at once before they are answered
        self.started = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.run(),), daemon=True)
        self.thread.start()
        self.started.wait()

    async def run(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=500)
        self.port = server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.started.set()
        await asyncio.Future()

    async def serve(self, reader, writer):
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ")[1].decode()
                self.requests[path] += 1
                if not await self.answer(path, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def answer(self, path, reader, writer):
        """Returns false if the connection has to be closed."""
        kind = path.split("/")[1]
        if kind == "silent":
            await reader.read()  # until the client goes
            return False
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep({"slow": 0.05, "late": 1}.get(kind, 0.002))
        while kind == "crowd" and self.most_at_once < self.crowd:
            await asyncio.sleep(0.01)
        self.at_once -= 1  # before the answer, because the client may send its next request as soon as it has that

        status, body, headers = "200 OK", FAST, b""
        if kind == "missing":
            status = "404 Not Found"
        elif kind == "broken" or (kind == "flaky" and self.requests[path] <= 2):
            status = "503 Service Unavailable"
        elif kind in ("large", "some"):
            body = b"x" * (LARGE if kind == "large" else LARGE // 100)
        elif kind in ("redirect", "circle"):
            status = "302 Found"
            headers = b"Location: " + path.replace("redirect", "fast").encode() + b"\r\n"
        elif kind == "hostile":
            status, headers = "404 \x1b[2J", b"Content-Type: \x1b[2J\r\nX: \x9b2J\r\n"
        elif kind == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        length = len(body) + (kind in ("cut", "drip")) * 1000
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n".encode() + headers + b"\r\n")
        for begin in range(0, len(body), 1 << 20):  # in pieces, so that it ends soon if the client goes
            writer.write(body[begin : begin + (1 << 20)])
            await writer.drain()
        while kind == "drip":
            await asyncio.sleep(0.01)
            writer.write(b"x")
            await writer.drain()
        return kind != "cut"


if __name__ == "__main__":
    print(CrawlServer().address, flush=True)
    threading.Event().wait()
