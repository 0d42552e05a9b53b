"""That an emergency stands is on the disk before long, and is believed even where the disk is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import state_dir
from gateway.chores import Chores
from gateway.core.words import CoreEvent, EmergencyKept, KeepEmergency
from gateway.state_dir import keep_emergency, read_emergency

SINCE = 1_700_000_000_000
NOW = 1_800_000_000_000


def test_what_was_kept_is_read_again_and_taken_back(tmp_path: Path) -> None:
    assert read_emergency(tmp_path, unreadable=NOW) is None
    keep_emergency(tmp_path, SINCE)
    assert read_emergency(tmp_path, unreadable=NOW) == SINCE
    keep_emergency(tmp_path, None)
    assert read_emergency(tmp_path, unreadable=NOW) is None


@pytest.mark.parametrize("damage", [b"", b"yes\n", b"-5\n", b"9" * 32, b"\xff\xfe"])
def test_a_damaged_file_counts_as_an_emergency_from_now(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / state_dir.EMERGENCY).write_bytes(damage)

    assert read_emergency(tmp_path, unreadable=NOW) == NOW


def test_a_write_that_is_cut_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_emergency(tmp_path, SINCE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_dir.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keep_emergency(tmp_path, None)

    assert read_emergency(tmp_path, unreadable=NOW) == SINCE


class Fed:
    """What the chores' thread says, waited for."""

    def __init__(self) -> None:
        self.events: list[CoreEvent] = []
        self._came = threading.Event()

    def soon(self, fn: Callable[[], None]) -> None:
        fn()

    def __call__(self, event: CoreEvent) -> None:
        self.events.append(event)
        self._came.set()

    def one(self) -> CoreEvent:
        assert self._came.wait(5)
        return self.events[0]


@pytest.mark.parametrize(("there", "problem"), [(True, ""), (False, "No such file or directory")])
def test_keeping_is_answered_and_a_disk_that_refuses_is_told(tmp_path: Path, there: bool, problem: str) -> None:
    fed = Fed()
    folder = {True: tmp_path, False: tmp_path / "gone"}[there]
    chores = Chores(folder, tmp_path / "shutdown", fed.soon, fed)
    chores.keep_emergency(KeepEmergency(since=SINCE))

    said = fed.one()
    chores.close()

    assert isinstance(said, EmergencyKept)
    assert problem in said.problem
    assert (said.problem == "") is there
