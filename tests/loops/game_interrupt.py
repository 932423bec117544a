# SPDX-License-Identifier: MIT
"""examples/game_loop gets ^C while its level is loaded. It must end in order, and tell nothing of the level.

    python3 tests/loops/game_interrupt.py PROGRAM
"""
import re
import signal
import subprocess
import sys
from pathlib import Path

from server import settles


def default_interrupt():
    """A program that a script starts in the background ignores SIGINT, and so do the programs that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def handles_interrupt():
    """Returns true as soon as SDL has begun, which then takes SIGINT for a wish to close the window."""
    mask = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{game.pid}/status").read_text())[1]
    return int(mask, 16) >> (signal.SIGINT - 1) & 1 == 1


game = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, preexec_fn=default_interrupt)
try:
    settles(handles_interrupt, True)
    game.send_signal(signal.SIGINT)
    output, _ = game.communicate(timeout=10)
finally:
    game.kill()
assert (game.returncode, output) == (0, b""), (game.returncode, output)
