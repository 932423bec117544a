# SPDX-License-Identifier: MIT
"""The page of examples/asio_websocket_feed in headless Chromium: it shows the messages, the tasks and the counts.

    python3 tests/loops/feed_page.py PROGRAM [PICTURE.png]
"""
import json
import re
import sys
import tempfile
import time
import urllib.error
import urllib.request

from browser import Browser
from server import FeedServer, settles

HOSTILE = """</td><script>document.title = 'bad'</script><img src=x onerror="document.title = 'bad'"> "a" '&lt;' \\"""


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


def resize(browser, width, height):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    devtools(browser, "Emulation.setDeviceMetricsOverride", **size)


def check_lines(browser):
    """Each line gets a point every second, and all points are inside the picture."""

    def lines():
        points = browser.run("""return [...document.querySelectorAll('polyline')]
            .map((line) => line.getAttribute('points'))""")
        return [[tuple(map(float, point.split(","))) for point in line.split()] for line in points]

    settles(lambda: [len(line) > 2 for line in lines()], [True] * 3)
    for line in lines():
        assert [x for x, _ in line] == list(range(60 - len(line), 60)), line
        assert all(0 <= y <= 20 for _, y in line), line
    assert lines()[0][-1][1] < 20, lines()  # because tasks are pending


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


def check_origin(browser, server):
    """The page of another site can send a request, but it has no effect."""
    browser.open("data:text/html,elsewhere")
    browser.run(f"""const sends = fetch('{server.url}/cancel', {{method: 'POST', mode: 'no-cors', body: 'tick'}});
        return sends.then(() => true, () => false)""")  # true if Chromium sends it
    asks = urllib.request.Request(server.url + "/cancel", b"tick", {"Origin": "http://elsewhere"})
    try:
        urllib.request.urlopen(asks, timeout=30)
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
    assert "tick" in server.tasks(), server.tasks()


def check_widths(browser):
    for width in (360, 1000):
        for scheme in ("dark", "light"):
            resize(browser, width, 800)
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            devtools(browser, "Emulation.setEmulatedMedia", features=features)
            assert browser.run("return document.documentElement.scrollWidth") <= width
            dark = browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 29)"
            assert dark == (scheme == "dark")


def take_picture(browser, path):
    """The picture has two more clients, some seconds of messages, and no task that waits for requests of the page."""
    browser.run("for (let i = 0; i < 2; ++i) new WebSocket(ws.url); ws.send('hello')")
    for i in range(30):
        for _ in range(i * 7 % 11):
            browser.submit(0, "hello")
        time.sleep(0.5)
    browser.run("""find('answer').textContent = '';
        for (const row of rows.values()) {
            row.hidden = /^(operation|running|ready)/.test(row.children[5].innerText) && !row.querySelector('button');
        }
        find('feed').style.minHeight = 0;
        find('feed').replaceChildren(...[...find('feed').children].slice(0, 2));
        document.documentElement.style.overflow = 'hidden';""")
    resize(browser, 800, 700)
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
            check_origin(browser, server)
        server.check_rest()

        with Browser(profile) as browser:
            browser.open(server.url + "/")
            settles(lambda: browser.text("state"), "open")
            server.stop()
            settles(lambda: browser.text("state"), "closed")
    print("the page shows the feed, the tasks and the counts; no task and no descriptor is left")


main()
