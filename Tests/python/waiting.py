"""Waits for conditions."""

import inspect
import time


def wait_until(condition, seconds=60):
    """Returns once `condition` holds. Polls it with growing pauses."""
    deadline, pause = time.monotonic() + seconds, 0.001
    while not condition():
        assert time.monotonic() < deadline, f"waited for {seconds} s: {inspect.getsource(condition).strip()}"
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
