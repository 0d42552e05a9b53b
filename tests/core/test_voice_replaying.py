"""The daemon's words about replays: the sentence first, the burst behind it, and what ends both."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from protocol.burst_file import BurstFile, Packet
from protocol.ids import RequestId
from protocol.voice_frame import VoiceFrame
from protocol.worker import (
    Arm,
    CatchUp,
    Drained,
    Focus,
    Missed,
    OfficeKeeps,
    Play,
    Playback,
    Replay,
    Replayed,
    ReplayEnd,
    Say,
    Stop,
    StopReplay,
)
from voice.burst_office import Fetched
from voice.replaying import SENTENCE_S, Replaying
from voice.speech import Spoken

REQUEST: RequestId = (0, 1, 1, 1)
SPEECH = bytes([9 << 3]) + b"opus"


class Bench:
    """Replaying with an ear, a voice and an office that only note what they are asked."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.told: list[Any] = []
        self.open = False
        self.speaking = True
        self.replaying = Replaying(self, self, self, self.told.append, lambda: self.open)  # type: ignore[arg-type]

    def replay(self, word: Replay, pieces: tuple[Any, ...]) -> None:
        self.done.append(("play", word.burst, len(pieces)))

    def cut_replay(self) -> None:
        self.done.append("cut")

    def say(self, word: Say) -> bool:
        self.done.append(("say", word.text))
        return True

    def speaks(self) -> bool:
        return self.speaking

    def upload(self, file: BurstFile) -> None:
        self.done.append(("upload", file.burst, len(file.packets)))

    def fetch(self, after: int, upto: int, known: frozenset[int]) -> None:
        self.done.append(("fetch", after, upto, sorted(known)))

    def taken(self) -> list[Any]:
        found, self.done = self.done, []
        return [one for one in found if one != "cut"]


WORD = Replay(no=1, burst=7, text="Kim, just now", lang="en")
SPOKEN = Spoken("Kim, just now", False, array("h"))


def test_the_sentence_comes_first_and_the_burst_right_behind_it() -> None:
    bench = Bench()
    bench.replaying.take(WORD, 10.0)
    assert bench.taken() == [("say", "Kim, just now")]

    bench.replaying.spoken(Spoken("something else", False, array("h")))
    assert bench.taken() == []
    bench.replaying.spoken(SPOKEN)

    assert bench.taken() == [("play", 7, 0)]


def test_a_sentence_that_does_not_come_holds_no_burst_up() -> None:
    bench = Bench()
    bench.replaying.take(WORD, 10.0)
    assert bench.replaying.next_deadline() == 10.0 + SENTENCE_S
    bench.replaying.tick(10.0 + SENTENCE_S)
    bench.replaying.spoken(SPOKEN)
    assert bench.taken() == [("say", "Kim, just now"), ("play", 7, 0)]

    bench.speaking = False
    bench.replaying.take(WORD, 20.0)
    assert bench.taken() == [("play", 7, 0)]


@pytest.mark.parametrize(
    "word",
    [Arm(request_id=REQUEST, edge_at=1.0), Play(burst=8, user="car-2"), Focus(office=Playback.SILENT)],
    ids=["talk button", "live voice", "telephone"],
)
def test_whoever_speaks_ends_a_replay_and_one_that_was_about_to_begin(word: Any) -> None:
    bench = Bench()
    bench.replaying.take(WORD, 10.0)
    bench.taken()

    bench.replaying.heed(word)
    bench.replaying.spoken(SPOKEN)

    assert (bench.taken(), bench.told) == ([], [Replayed(no=1, burst=7, end=ReplayEnd.STOPPED)])


def test_none_begins_while_somebody_speaks() -> None:
    bench = Bench()
    bench.replaying.heed(Play(burst=8, user="car-2"))
    bench.replaying.take(WORD, 10.0)
    bench.replaying.heed(Stop(burst=8, drain=True))
    bench.open = True
    bench.replaying.take(WORD, 11.0)
    bench.open = False
    bench.replaying.heed(Focus(office=Playback.SILENT))
    bench.replaying.take(WORD, 12.0)
    assert bench.taken() == []
    assert [word.end for word in bench.told] == [ReplayEnd.STOPPED] * 3

    bench.replaying.heed(Focus(office=Playback.FULL))
    bench.replaying.take(WORD, 13.0)
    bench.replaying.take(StopReplay(), 13.1)
    assert bench.taken() == [("say", "Kim, just now")]


def test_own_speech_is_uploaded_only_where_the_office_keeps_it() -> None:
    bench = Bench()

    def speak(burst: int) -> None:
        for seq in range(5):
            bench.replaying.said(VoiceFrame(burst, seq, 20 * seq, SPEECH))
        bench.replaying.drained(Drained(request_id=REQUEST, burst=burst, last_seq=4))

    speak(7)
    bench.replaying.take(OfficeKeeps(keeps=True), 1.0)
    speak(8)
    bench.replaying.drained(Drained(request_id=REQUEST, burst=None, last_seq=None))
    bench.replaying.fetched(Fetched(None, False, keeps_nothing=True))
    speak(9)

    assert bench.taken() == [("upload", 8, 5)]


def test_what_was_fetched_is_listed_once_played_from_there_and_not_fetched_twice() -> None:
    bench = Bench()
    bench.replaying.take(CatchUp(after=6, upto=8), 1.0)
    file = BurstFile(7, (Packet(0, SPEECH), Packet(1, SPEECH)))
    listed = got(7)
    bench.replaying.fetched(Fetched(6, True, (listed,), ((listed, file),)))
    bench.replaying.take(CatchUp(after=6, upto=8), 5.0)
    bench.replaying.fetched(Fetched(6, True, (listed,), ()))
    bench.speaking = False
    bench.replaying.take(WORD, 6.0)

    assert bench.taken() == [("fetch", 6, 8, []), ("fetch", 6, 8, [7]), ("play", 7, 2)]
    assert bench.told == [Missed(after=6, ok=True, bursts=(listed,))] * 2


def got(burst: int) -> Any:
    from protocol.worker import MissedBurst

    return MissedBurst(burst=burst, user="car-2", name="Lee", ago_s=3.0, seconds=0.04)
