"""Runs the program's commands, as a user types them and as a script calls them."""

import csv
import io
import os
import pty
import select
import subprocess
import termios
import time

from program import PROGRAM


class Commands:
    """Runs the program with its own home folder."""

    def __init__(self, home, address):
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("USER_SERVICE_")},
            "XDG_CONFIG_HOME": str(home), "USER_SERVICE_ADDRESS": address}

    def run(self, *arguments, input="", environment=None, directory=None):
        return subprocess.run(
            [PROGRAM, *arguments], input=input, capture_output=True, text=True, timeout=300,
            env={**self.environment, **(environment or {})}, cwd=directory)

    def __call__(self, *arguments, code=0, **keywords):
        """Returns the output. The program must exit with `code`."""
        done = self.run(*arguments, **keywords)
        assert done.returncode == code, done
        return done.stdout if code == 0 else done.stderr

    def terminal(self, *arguments, answers=(), environment=None):
        """Runs the program at a terminal and answers its questions. Returns its exit code, the terminal's text, and
        the terminal's final mode."""
        parent, child = pty.openpty()
        before = termios.tcgetattr(child)
        process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=child, stdout=child, stderr=child, start_new_session=True,
            env={**self.environment, "COLUMNS": "80", **(environment or {})})
        shown, answers = b"", list(answers)
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end, (process.kill(), shown)
            ready, _, _ = select.select([parent], [], [], 0.1)
            if ready:
                shown += os.read(parent, 65_536)
            elif process.poll() is not None:
                break
            if answers and answers[0][0].encode() in shown.rsplit(b"\n", 1)[-1]:
                os.write(parent, answers.pop(0)[1].encode())
                shown += b"\n"
        assert not answers, shown
        assert termios.tcgetattr(child) == before
        os.close(parent)
        os.close(child)
        return process.returncode, shown.decode()


def users(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))
