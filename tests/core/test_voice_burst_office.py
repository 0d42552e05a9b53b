"""The thread that uploads own speech to the office and asks it for what was missed."""

from __future__ import annotations

import threading

import pytest

from protocol.burst_file import BurstFile, Packet
from protocol.rest import KeptBurst
from protocol.worker_settings import RestAccess
from tests.support.procs import eventually
from voice.burst_office import UPLOADS_MAX, BurstOffice, Fetched
from voice.burst_rest import AskFailed

SPEECH = bytes([9 << 3]) + b"opus"
ACCESS = RestAccess(url="https://office", ca="/ca.pem", login="seoul.hq.car-1", hardware="a" * 16)


class Rest:
    """An office: refuses as often as it is told."""

    def __init__(self, *failures: AskFailed) -> None:
        self.failures = list(failures)
        self.uploaded: list[int] = []
        self.fetched: list[int] = []
        self.hold = threading.Event()
        self.hold.set()

    def upload(self, file: BurstFile) -> None:
        self.hold.wait(5)
        if self.failures:
            raise self.failures.pop(0)
        self.uploaded.append(file.burst)

    def listed(self, after: int) -> tuple[KeptBurst, ...]:
        if self.failures:
            raise self.failures.pop(0)
        return tuple(KeptBurst(burst=n, user="car-2", name="Lee", ago_s=1.0, seconds=1.0) for n in range(3, 9))

    def fetch(self, burst: int) -> BurstFile:
        self.fetched.append(burst)
        return BurstFile(burst, (Packet(0, SPEECH),))

    def close(self) -> None:
        pass


class Clock:
    """Runs a hundred times as fast."""

    def __init__(self) -> None:
        import time

        self._time = time.monotonic
        self._began = self._time()

    def __call__(self) -> float:
        return (self._time() - self._began) * 100


def office_of(rest: Rest, done: list[Fetched]) -> BurstOffice:
    return BurstOffice(ACCESS, "secret", done.append, Clock(), lambda: rest)  # type: ignore[arg-type,return-value]


def test_an_upload_is_tried_again_until_it_is_taken() -> None:
    rest = Rest(AskFailed("no network"), AskFailed("not yet", "not_spoken"))
    office = office_of(rest, [])
    office.upload(BurstFile(7, (Packet(0, SPEECH),)))

    eventually(lambda: rest.uploaded == [7], 5, "it was taken at the third try")
    office.stop()
    assert office.dropped == 0


def test_what_the_office_will_never_take_is_dropped_and_keeping_off_drops_all() -> None:
    done: list[Fetched] = []
    rest = Rest(AskFailed("not yours", "not_yours", again=False), AskFailed("off", "replay_off", again=False))
    office = office_of(rest, done)
    office.upload(BurstFile(7, (Packet(0, SPEECH),)))
    office.upload(BurstFile(8, (Packet(0, SPEECH),)))

    eventually(lambda: office.dropped == 2 and bool(done), 5, "both were dropped")
    office.stop()
    assert (rest.uploaded, done[0].keeps_nothing) == ([], True)


def test_no_more_than_a_few_wait_and_the_oldest_goes_first() -> None:
    rest = Rest()
    rest.hold.clear()
    office = office_of(rest, [])
    for burst in range(1, UPLOADS_MAX + 4):
        office.upload(BurstFile(burst, (Packet(0, SPEECH),)))
    rest.hold.set()

    eventually(lambda: len(rest.uploaded) >= UPLOADS_MAX, 5, "those that waited were taken")
    office.stop()
    assert office.dropped >= 2
    assert rest.uploaded[-1] == UPLOADS_MAX + 3


def test_only_what_was_missed_and_is_not_known_is_fetched() -> None:
    done: list[Fetched] = []
    rest = Rest()
    office = office_of(rest, done)
    office.fetch(4, 7, frozenset({6}))

    eventually(lambda: bool(done), 5, "an answer")
    office.stop()
    assert rest.fetched == [5, 7]
    assert [missed.burst for missed in done[0].listed] == [5, 6, 7]
    assert [file.burst for _, file in done[0].bursts] == [5, 7]


def test_an_office_that_is_not_reached_leaves_the_question_open() -> None:
    done: list[Fetched] = []
    office = office_of(Rest(AskFailed("no network")), done)
    office.fetch(4, 7, frozenset())

    eventually(lambda: bool(done), 5, "an answer")
    office.stop()
    assert done == [Fetched(4, False)]


def test_a_fault_of_ours_is_told_and_the_next_question_is_asked_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    done: list[Fetched] = []
    rest = Rest(RuntimeError("ours"))  # type: ignore[arg-type]
    office = office_of(rest, done)
    office.upload(BurstFile(7, (Packet(0, SPEECH),)))
    eventually(lambda: office.dropped == 1, 5, "it was counted")
    office.fetch(4, 7, frozenset())

    eventually(lambda: bool(done), 5, "an answer")
    office.stop()
    assert done[0].ok
    assert "asking the office failed" in caplog.text
