"""Runs the tested program to its end."""

import os
import subprocess

PROGRAM = os.environ["USER_SERVICE_PROGRAM"]
TIMEOUT = 60


def run(*arguments, text=""):
    """Runs the program with `text` on standard input."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=TIMEOUT)
