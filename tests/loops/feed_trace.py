# SPDX-License-Identifier: MIT
"""A trace of examples/asio_websocket_feed with clients: the file is checked, and examples/trace_view.html draws it.

    python3 tests/loops/feed_trace.py PROGRAM [CLIENTS] [PICTURE.png]

The picture shows the moment at which a message goes to all clients.
"""
import asyncio
import base64
import collections
import contextlib
import functools
import http.server
import json
import pathlib
import shutil
import struct
import sys
import tempfile
import threading
import zlib

import websockets

from browser import Browser
from server import FeedServer, settles

PAGE = pathlib.Path(__file__).parents[2] / "examples" / "trace_view.html"


async def scenario(server, count):
    async with contextlib.AsyncExitStack() as clients:
        url = server.url.replace("http", "ws") + "/feed"
        sockets = [await clients.enter_async_context(websockets.connect(url, open_timeout=30)) for _ in range(count)]
        await asyncio.to_thread(server.dispatch, "for all")
        for socket in sockets:
            while await asyncio.wait_for(socket.recv(), 30) != "for all":
                pass
    await asyncio.to_thread(server.check_rest)


def check(events, count):
    """Gives the names of the rows, and the slices of each."""
    rows, begun, ended = {}, {}, {}
    for event in events:
        key = event["pid"], event["tid"]
        if event["ph"] == "M":
            if event["name"] == "thread_name":
                assert key not in rows, event
                rows[key] = event["args"]["name"], []
        elif event["ph"] == "X":
            slices = rows[key][1]
            assert not slices or slices[-1]["ts"] + slices[-1]["dur"] <= event["ts"] + 0.0005, event
            slices.append(event)
        elif event["ph"] == "s":
            assert event["id"] not in begun, event
            begun[event["id"]] = event
        else:
            assert event["ph"] == "f" and event["id"] not in ended, event
            ended[event["id"]] = event
    assert begun.keys() == ended.keys()
    for key, event in begun.items():
        assert event["ts"] <= ended[key]["ts"], event
        assert ended[key]["ts"] in (s["ts"] for s in rows[ended[key]["pid"], ended[key]["tid"]][1])
        assert any(s["ts"] <= event["ts"] <= s["ts"] + s["dur"] + 0.0005 for s in rows[event["pid"], event["tid"]][1])
    names = [name for name, _ in rows.values()]
    assert sum(name.startswith("receiver:") for name in names) == count, names
    assert {"loop", "accept", "tick"} <= set(names), names
    assert len(begun) >= count
    return rows


def serve(directory):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=directory))
    threading.Thread(target=files.serve_forever, daemon=True).start()
    return files


def look(directory, rows, picture):
    slices = sum(len(own) for _, own in rows.values())
    text = (directory / "run.json").read_text()
    (directory / "cut.json").write_text(text[:len(text) // 2])  # as if the program had died while it wrote
    files = serve(directory)
    with Browser(directory / "profile") as browser:
        def draw(name):
            browser.open(f"http://127.0.0.1:{files.server_port}/{PAGE.name}?file={name}")
            settles(lambda: "slices" in browser.text("state"), True)
            return browser.run("return drawn")

        browser.send("/window/rect", {"width": 1000, "height": 300 + 16 * len(rows)})
        assert 0 < draw("cut.json")["slices"] < slices
        assert draw("run.json") == {"rows": len(rows), "slices": slices}, (rows, slices, browser.run("return drawn"))
        assert browser.text("state").startswith(f"{len(rows)} rows, {slices} slices, ")
        for name, _ in rows.values():  # the first slice of each row has a color, and the pointer finds it
            found = browser.run(f"""
                const row = rows.find((row) => row.name === {json.dumps(name)});
                const [left, middle] = [Math.floor(x(row.slices[0].from)) + 1, y(row) + 8];
                const [red, green, blue] = paint.getImageData(left, middle, 1, 1).data;
                return [sliceAt(left, middle + above).row.name, red + green + blue < 3 * 255];""")
            assert found == [name, True], (name, found)
        browser.run("dispatchEvent(new WheelEvent('wheel', {ctrlKey: true, deltaY: -2000, clientX: 600, cancelable: true}))")
        assert browser.run("return (to - from) * 20 < last - first")
        assert browser.run("return drawn.slices") < slices
        browser.run("dispatchEvent(new MouseEvent('dblclick'))")
        assert browser.run("return drawn.slices") == slices
        if picture:
            browser.send("/window/rect", {"width": 1000, "height": 190 + 16 * len(rows)})
            pathlib.Path(picture).write_bytes(png(*zoomed(browser)))
    files.shutdown()


def zoomed(browser):
    """Shows the step that wakes the most clients. Gives the size of the picture, and its pixels in base64."""
    browser.run("""
        const wokenBy = (row, slice) => arrows.filter((arrow) => arrow.row === row && arrow.end.name.startsWith('connection:')
            && slice.from <= arrow.from && arrow.from <= slice.to);
        const steps = rows.flatMap((row) => row.slices.map((slice) => ({slice, woken: wokenBy(row, slice)})));
        const best = steps.reduce((a, b) => b.woken.length > a.woken.length ? b : a);
        const end = Math.max(...best.woken.map((arrow) => arrow.to)), part = (end - best.slice.from) / 8;
        show(best.slice.from - part, end + 2 * part);""")
    return browser.run("""
        let bytes = '';
        for (const byte of paint.getImageData(0, 0, canvas.width, canvas.height).data) bytes += String.fromCharCode(byte);
        return [canvas.width, canvas.height, btoa(bytes)];""")


def png(width, height, pixels):
    """Gives a PNG of pixels in base64, four bytes each. It has 256 colors, and so a third of the size of a screenshot."""
    data = base64.b64decode(pixels)
    colors = [data[i:i + 3] for i in range(0, len(data), 4)]
    count = collections.Counter(colors)
    palette = [color for color, _ in count.most_common(256)]

    def nearest(color):
        return min(range(len(palette)), key=lambda i: sum((a - b) ** 2 for a, b in zip(palette[i], color)))

    number = {color: nearest(color) for color in count}
    lines = b"".join(b"\0" + bytes(map(number.get, colors[i:i + width])) for i in range(0, len(colors), width))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"PLTE", b"".join(palette)),
                     chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b"")])


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = pathlib.Path(name)
        file = directory / "run.json"
        with FeedServer(sys.argv[1], "0", "--trace", str(file)) as server:
            asyncio.run(scenario(server, count))
        rows = check(json.loads(file.read_bytes()), count)
        shutil.copy(PAGE, directory)
        look(directory, rows, sys.argv[3] if len(sys.argv) > 3 else None)
    print(f"the trace of {count} clients has {len(rows)} rows, and the page draws them")


main()
