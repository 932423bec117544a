# SPDX-License-Identifier: MIT
"""The page of examples/asio_websocket_feed in headless Chromium: it shows the messages, the tasks and the counts.

    python3 tests/loops/feed_page.py PROGRAM [SCREENSHOT.png]
"""
import json
import re
import sys
import tempfile
import time

from browser import Browser
from server import FeedServer, settles

HOSTILE = """</td><script>document.title = 'bad'</script><img src=x onerror="document.title = 'bad'"> "a" 'b' &lt; \\ \u00e9"""


def table(browser):
    """Gives the text of each cell, by the name of the task."""
    rows = browser.run("""return [...document.querySelectorAll('#tasks tr')].map((row) =>
        [...row.children].map((cell) => cell.innerText.trim()))""")
    return {row[1]: row for row in rows}


def click_cancel(browser, name):
    browser.run(f"""[...document.querySelectorAll('#tasks tr')]
        .find((row) => row.children[1].textContent === {json.dumps(name)}).querySelector('button').click()""")


def devtools(browser, command, **parameters):
    browser.send("/goog/cdp/execute", {"cmd": command, "params": parameters})


def check_lines(browser):
    """Each of the three lines has a point for each second, and the last points are in the picture."""
    lines = browser.run("return [...document.querySelectorAll('polyline')].map((line) => line.getAttribute('points'))")
    assert len(lines) == 3, lines
    for line in lines:
        assert len(line.split()) > 2 and re.fullmatch(r"(\d+,\d+\.\d\d ?)+", line), line
        assert all(float(point.split(",")[1]) <= 20 for point in line.split()), line
    assert "20.00" not in lines[0].split()[-1], lines  # because tasks are pending


def check_text(browser, server):
    """Names and notes of tasks are shown as text, whatever they are."""
    name = "later: " + HOSTILE
    server.get("/later", HOSTILE.encode())
    browser.run(f"ws.send({json.dumps(HOSTILE)})")
    settles(lambda: name in table(browser), True)
    receiver = next(name for name in server.tasks() if name.startswith("receiver:"))
    settles(lambda: table(browser)[receiver][4], "received: " + HOSTILE[:100].strip())
    assert browser.run("return [document.title, document.querySelectorAll('#tasks :is(script, img)').length]") == [
        "errand: a feed", 0]
    click_cancel(browser, name)
    settles(lambda: name in table(browser), False)
    settles(lambda: browser.text("answer"), f"cancelled ({name})")


def check_widths(browser):
    for width in (360, 1000):
        for scheme in ("dark", "light"):
            devtools(browser, "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
            devtools(browser, "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            assert browser.run("return document.documentElement.scrollWidth") <= width
            dark = browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 29)"
            assert dark == (scheme == "dark")
    devtools(browser, "Emulation.clearDeviceMetricsOverride")


def take_picture(browser, path):
    """The picture has two more clients, and some seconds of messages."""
    browser.run("for (let i = 0; i < 2; ++i) new WebSocket(ws.url)")
    for i in range(30):
        for _ in range(i * 7 % 11):
            browser.submit(0, "hello")
        time.sleep(0.5)
    browser.run("find('answer').textContent = ''")
    browser.screenshot(path)


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, FeedServer(sys.argv[1]) as server:
        with Browser(profile) as browser:
            browser.open(server.url + "/")
            settles(lambda: browser.text("state"), "open")
            settles(lambda: "tick" in browser.text("feed"), True)
            server.dispatch("from elsewhere <b>")
            settles(lambda: "from elsewhere <b>" in browser.text("feed"), True)
            browser.submit(0, "from the form")
            settles(lambda: "from the form" in browser.text("feed"), True)
            settles(lambda: "receiver:" in browser.text("tasks"), True)
            settles(lambda: "Received: hello from the page" in server.output(), True)

            rows = table(browser)
            assert rows["tick"][:3] == ["2", "tick", "pending"] and rows["tick"][3].endswith(" s"), rows
            assert rows["tick"][5].startswith("sleep asio_websocket_feed.cpp:"), rows
            assert rows["tick"][6] == "cancel", rows
            connection = next(row for name, row in rows.items() if name.startswith("connection:") and "race" in row[5])
            assert re.search(r"race .*\n.*subscription .*\n(.*\n)*from ", connection[5]), connection
            assert connection[6] == "", connection  # because no name leads to this task

            check_text(browser, server)
            check_lines(browser)
            check_widths(browser)
            if len(sys.argv) > 2:
                take_picture(browser, sys.argv[2])
            click_cancel(browser, next(name for name in server.tasks() if name.startswith("receiver:")))
            settles(lambda: browser.text("state"), "closed")
        server.check_rest()

        with Browser(profile) as browser:
            browser.open(server.url + "/")
            settles(lambda: browser.text("state"), "open")
            server.stop()
            settles(lambda: browser.text("state"), "closed")
    print("the page shows the feed, the tasks and the counts; no task and no descriptor is left")


main()
