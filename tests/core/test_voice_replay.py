"""What the worker keeps of what was heard and said, and how it is played again."""

from __future__ import annotations

import math
import threading
from array import array
from typing import Any

import pytest

from protocol.burst_file import BYTES_A_SECOND_MAX, BurstFile, Packet, unpack
from protocol.burst_file import pack as packed
from protocol.ids import RequestId
from protocol.rest import KeptBurst
from protocol.voice_frame import FrameFlags, VoiceFrame
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
from protocol.worker_settings import AudioSettings, CodecSettings, ReplaySettings, RestAccess
from tests.support.procs import eventually
from voice.burst_office import UPLOADS_MAX, BurstOffice, Fetched
from voice.burst_rest import AskFailed
from voice.core.kept import Kept
from voice.core.recording import BYTES_MAX, Recording
from voice.ear import Ear
from voice.opus import Encoder
from voice.replay_lane import Pcm, ReplayLane
from voice.replaying import SENTENCE_S, Replaying
from voice.speech import Spoken

RATE_HZ = 16_000
REQUEST: RequestId = (0, 1, 1, 1)
SPEECH = bytes([9 << 3]) + b"opus"
ACCESS = RestAccess(url="https://office", ca="/ca.pem", login="seoul.hq.car-1", hardware="a" * 16)


# --- what was heard --------------------------------------------------------------------------------------------------


def test_the_last_bursts_are_kept_and_the_oldest_goes_first() -> None:
    kept: Kept[str] = Kept(2, 60)
    for burst in (5, 6, 7):
        kept.add(burst, f"{burst}a", 0.02)
        kept.add(burst, f"{burst}b", 0.02)

    assert (kept.bursts, kept.pieces(5), kept.pieces(7)) == ((6, 7), (), ("7a", "7b"))
    assert kept.seconds == pytest.approx(0.08)


def test_no_more_sound_is_kept_than_wanted_whole_bursts_go_first() -> None:
    kept: Kept[int] = Kept(5, 1.0)
    for number in range(4):
        kept.add(1, number, 0.2)
    for number in range(4):
        kept.add(2, number, 0.2)
    assert kept.bursts == (2,)
    assert kept.seconds == pytest.approx(0.8)

    for number in range(4, 10):
        kept.add(2, number, 0.2)

    assert kept.pieces(2) == (5, 6, 7, 8, 9)
    assert kept.seconds == pytest.approx(1.0)


def test_nothing_is_kept_where_that_is_off() -> None:
    kept: Kept[int] = Kept(0, 60)
    kept.add(1, 1, 0.02)
    assert (kept.bursts, kept.pieces(1)) == ((), ())


# --- what one said ---------------------------------------------------------------------------------------------------


def test_ones_own_burst_is_given_once_and_only_by_its_own_number() -> None:
    recording = Recording()
    for seq in range(3):
        recording.add(7, seq, SPEECH)
    recording.add(7, 3, b"")

    file = recording.take(7)

    assert file == BurstFile(7, tuple(Packet(seq, SPEECH) for seq in range(3)))
    assert recording.take(7) is None
    recording.add(8, 0, SPEECH)
    assert recording.take(9) is None
    assert recording.take(None) is None


def test_a_recording_is_bounded_and_what_it_gives_is_always_a_file() -> None:
    recording = Recording()
    opus = bytes([9 << 3]) + bytes(1000)
    for seq in range(2000):
        recording.add(7, seq, opus)

    file = recording.take(7)

    assert file is not None
    assert len(packed(file)) <= BYTES_MAX + 2000
    assert unpack(packed(file)) == file
    assert BYTES_A_SECOND_MAX > 128_000 / 8


# --- the lane --------------------------------------------------------------------------------------------------------


def lane() -> tuple[ReplayLane, list[Replayed]]:
    told: list[Replayed] = []
    return ReplayLane(RATE_HZ, told.append), told


def test_sound_and_opus_are_played_to_the_last_sample_and_that_is_told_once() -> None:
    encoder = Encoder(RATE_HZ, CodecSettings())
    opus = encoder.encode(bytes(encoder.packet_bytes))
    made, told = lane()
    made.start(3, 7, (Pcm(array("h", [5] * 250).tobytes()), opus))

    parts = []
    while (part := made.next(160)) is not None:
        parts.append(part)

    assert [len(part) for part in parts] == [160] * 4
    assert (parts[0][0], parts[1][89], parts[1][91]) == (5, 5, 0)
    assert told == [Replayed(no=3, burst=7, end=ReplayEnd.WHOLE)]


def test_a_replay_that_is_cut_is_silent_at_the_next_sample() -> None:
    made, told = lane()
    made.start(1, 7, (Pcm(bytes(3200)),))
    assert made.next(160) is not None

    made.cut()
    made.cut()

    assert made.next(160) is None
    assert told == [Replayed(no=1, burst=7, end=ReplayEnd.STOPPED)]


def test_a_newer_replay_takes_the_place_of_an_older_and_both_are_answered() -> None:
    made, told = lane()
    made.start(1, 7, (Pcm(bytes(3200)),))
    made.start(2, 6, ())

    assert told == [
        Replayed(no=1, burst=7, end=ReplayEnd.STOPPED),
        Replayed(no=2, burst=6, end=ReplayEnd.GONE),
    ]


def test_a_packet_that_cannot_be_decoded_is_left_out() -> None:
    made, told = lane()
    made.start(1, 7, (b"\xff\xff\xff", Pcm(array("h", [9] * 160).tobytes())))

    part = made.next(160)

    assert part == array("h", [9] * 160)
    assert [word.end for word in told] == [ReplayEnd.WHOLE]


# --- the daemon's words ----------------------------------------------------------------------------------------------


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


# --- the thread that asks the office ---------------------------------------------------------------------------------


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


# --- the ear ---------------------------------------------------------------------------------------------------------


class Ears:
    """An ear with a device of 10 ms frames in virtual time; what it told, and what it played since last asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[Any] = []
        audio = AudioSettings(device_rate_hz=RATE_HZ)
        self.ear = Ear(audio, "me", self.told.append, lambda: self.now, ReplaySettings(keep=2, keep_s=60))
        self._encoder = Encoder(RATE_HZ, audio.codec)

    def run(self, seconds: float) -> array[int]:
        played = array("h")
        until = self.now + seconds
        while self.now < until - 1e-9:
            played.frombytes(self.ear.render(self.now))
            self.now = round(self.now + 0.01, 6)
        return played

    def live(self, burst: int, seconds: float, hz: float = 300.0) -> array[int]:
        """Somebody speaks, over MQTT and at an even pace; gives what was heard."""
        self.ear.play(Play(burst=burst, user="car-2"), self.now)
        self._encoder.reset()
        heard, size = array("h"), self._encoder.packet_samples
        count = round(seconds / 0.02)
        for seq in range(count):
            at = range(seq * size, (seq + 1) * size)
            pcm = array("h", [round(8000 * math.sin(2 * math.pi * hz * n / RATE_HZ)) for n in at]).tobytes()
            last = FrameFlags.LAST if seq == count - 1 else FrameFlags.NONE
            frame = VoiceFrame(burst, seq, 20 * seq, self._encoder.encode(pcm), last)
            assert self.ear.frame("car-2", frame, self.now)
            heard.extend(self.run(0.02))
        self.ear.stop(Stop(burst=burst, drain=True, last_seq=count - 1), self.now)
        heard.extend(self.run(0.6))
        return heard

    def again(self, burst: int, no: int = 1) -> None:
        self.ear.replay(Replay(no=no, burst=burst, text=""), ())

    def ends(self) -> list[tuple[int, ReplayEnd]]:
        return [(word.burst, word.end) for word in self.told if isinstance(word, Replayed)]


def without_silence(samples: array[int]) -> array[int]:
    loud = [n for n, sample in enumerate(samples) if sample]
    return samples[loud[0] : loud[-1] + 1] if loud else array("h")


def test_what_was_heard_is_played_again_sample_for_sample() -> None:
    ears = Ears()
    heard = ears.live(7, 1.0)
    ears.live(8, 0.5, hz=500.0)

    ears.again(7)
    again = ears.run(1.5)

    assert len(without_silence(heard)) > 0.9 * RATE_HZ
    assert without_silence(again) == without_silence(heard)
    assert ears.ends() == [(7, ReplayEnd.WHOLE)]


def test_only_the_newest_are_there_to_be_played_again() -> None:
    ears = Ears()
    for burst in (7, 8, 9):
        ears.live(burst, 0.2)

    ears.again(7)

    assert set(ears.run(0.5)) == {0}
    assert ears.ends() == [(7, ReplayEnd.GONE)]


def test_a_newly_announced_burst_silences_a_replay_before_its_first_frame_and_is_heard_as_ever() -> None:
    ears = Ears()
    ears.live(7, 1.0)
    ears.again(7)
    assert set(ears.run(0.3)) != {0}

    ears.ear.play(Play(burst=8, user="car-2"), ears.now)
    silence = ears.run(0.2)

    assert set(silence) == {0}
    assert ears.ends() == [(7, ReplayEnd.STOPPED)]
    alone = Ears()
    alone.run(ears.now)
    assert without_silence(ears.live(9, 0.4)) == without_silence(alone.live(9, 0.4))


def test_a_cue_pauses_a_replay_and_nothing_of_it_is_lost() -> None:
    ears = Ears()
    heard = without_silence(ears.live(7, 0.5))
    ears.again(7)
    before = ears.run(0.2)
    ears.ear.cue(array("h", [77] * (RATE_HZ // 10)), ears.now + 1.0)
    cue = ears.run(0.1)
    after = ears.run(0.6)

    assert set(cue) == {77}
    assert without_silence(before + after) == heard


def test_opening_the_microphone_silences_a_replay() -> None:
    ears = Ears()
    ears.live(7, 0.5)
    ears.again(7)
    ears.run(0.1)

    ears.ear.cut_cues()

    assert set(ears.run(0.3)) == {0}
    assert ears.ends() == [(7, ReplayEnd.STOPPED)]


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
