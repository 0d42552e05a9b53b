"""The watch on the machine itself: it notices that it was not let run, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from lab.demo.stall_watch import StallWatch
from tests.support.procs import eventually


def test_a_watch_that_was_stopped_tells_when_and_how_long_on_every_core(tmp_path: Path) -> None:
    with StallWatch(tmp_path / "stalls", 0.12) as watch:
        eventually(lambda: len(os.listdir(f"/proc/{watch.pid}/task")) > len(os.sched_getaffinity(0)), 10, "it watches")
        time.sleep(0.1)  # so that every thread has slept once
        os.kill(watch.pid, signal.SIGSTOP)
        stopped_s = time.monotonic()
        time.sleep(0.4)  # what is to be noticed
        os.kill(watch.pid, signal.SIGCONT)
        went_on_s = time.monotonic()

        def noticed() -> bool:
            cores = {s.core for s in watch.stalls if s.start_s < went_on_s - 0.2 and s.end_s > stopped_s + 0.2}
            return cores == os.sched_getaffinity(0)

        eventually(noticed, 10, lambda: f"{watch.stalls}")
        assert watch.running

    assert not watch.running


def test_a_machine_that_runs_has_no_stalls_of_a_minute(tmp_path: Path) -> None:
    with StallWatch(tmp_path / "stalls", 60.0) as watch:
        eventually(lambda: len(os.listdir(f"/proc/{watch.pid}/task")) > len(os.sched_getaffinity(0)), 10, "it watches")

    assert watch.stalls == ()
