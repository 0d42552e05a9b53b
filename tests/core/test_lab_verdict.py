"""The demo's verdict, seen to fail: a made-up story that is right, and one fault at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from lab.demo.facts import DENIED_MS, OPEN_SESSION, WHOLE_SESSION, times, told
from lab.demo.outcome import Burst, Outcome, Refusal
from lab.demo.script import PARTS
from lab.demo.speech import speak
from lab.demo.verdict import Verdict, judge
from lab.measure.sound import RATE_HZ, Recording, Sound, as_int16, from_int16
from protocol.messages import DenyCause, FloorDeny
from protocol.worker_settings import CodecSettings
from voice.opus import Decoder, Encoder

EPOCH_S = 1000.0
LENGTH_S = 26.0
LAG_S = 0.02
STARTS = {"first": 1.0, "refused": 2.5, "answer": 7.0, "killed": 13.0, "last": 18.0}
WHO = {"first": "car-1", "refused": "car-3", "answer": "car-2", "killed": "car-2", "last": "car-3"}
CARS = ("car-1", "car-2", "car-3")
KILL_AFTER_S = 2.5


@lru_cache
def spoken(part: str) -> Sound:
    voice, text = PARTS[part]
    return speak(text, voice)


@lru_cache
def coded(part: str) -> Sound:
    encoder, decoder = Encoder(RATE_HZ, CodecSettings()), Decoder(RATE_HZ)
    pcm = as_int16(np.concatenate([spoken(part), np.zeros(RATE_HZ // 20, np.float32)]))
    size = encoder.packet_bytes
    return from_int16(
        b"".join(decoder.decode(encoder.encode(pcm[i : i + size])) for i in range(0, len(pcm) - size + 1, size))
    )


class Made:
    """A whole story as the measuring gets it; every part of it can be spoilt."""

    def __init__(self) -> None:
        self.mouths = {user: np.zeros(round(LENGTH_S * RATE_HZ), np.float32) for user in CARS}
        self.ears = {user: np.zeros(round(LENGTH_S * RATE_HZ), np.float32) for user in CARS}
        for part, start_s in STARTS.items():
            self.put(self.mouths[WHO[part]], spoken(part), start_s)
        self.outcome = self._outcome()
        for burst, part in zip(self.outcome.bursts, ("first", "answer", "killed", "last"), strict=True):
            for user in burst.listeners:
                sound = coded(part)
                if burst.killed:
                    sound = sound[: round((KILL_AFTER_S - 0.03) * RATE_HZ)]
                self.put(self.ears[user], sound, STARTS[part] + LAG_S)

    @staticmethod
    def put(where: Sound, sound: Sound, at_s: float, gain_db: float = 0.0) -> None:
        begin = round(at_s * RATE_HZ)
        room = min(len(sound), len(where) - begin)
        where[begin : begin + room] += sound[:room] * np.float32(10 ** (gain_db / 20))

    def judge(self, out: Path) -> Verdict:
        mouths = {user: Recording(sound, EPOCH_S) for user, sound in self.mouths.items()}
        ears = {user: Recording(sound, EPOCH_S) for user, sound in self.ears.items()}
        return judge(self.outcome, mouths, ears, out)

    @staticmethod
    def _outcome() -> Outcome:
        bursts = []
        for n, part in enumerate(("first", "answer", "killed", "last"), 1):
            speaker, edge_s = WHO[part], EPOCH_S + STARTS[part] - 0.015
            killed = part == "killed"
            end_s = edge_s + 0.015 + (KILL_AFTER_S if killed else len(spoken(part)) / RATE_HZ + 0.25)
            dead = ("car-2",) if part == "last" else ()
            bursts.append(
                Burst(
                    n=n,
                    speaker=speaker,
                    number=n,
                    event_id="a" if n < 3 else "b",
                    text=part,
                    listeners=tuple(user for user in CARS if user != speaker and user not in dead),
                    edge_s=edge_s,
                    handled_s=edge_s + 0.004,
                    told_s=edge_s + 0.005,
                    end_s=end_s,
                    idle_s=end_s + (1.03 if killed else 0.01),
                    killed=killed,
                    ended="lost" if killed else "released",
                )
            )
        edge_s = EPOCH_S + STARTS["refused"] - 0.015
        refusal = Refusal(
            user="car-3",
            text="refused",
            speaker="car-1",
            edge_s=edge_s,
            end_s=edge_s + len(spoken("refused")) / RATE_HZ + 0.1,
            deny=FloorDeny(
                rev=1,
                request_id=(1, 1, 1, 1),
                cause=DenyCause.ANOTHER_HAS_PERMISSION,
                speaker="car-1",
                speaker_name="1호차",
                remaining_s=28.5,
            ),
            told_s=edge_s + 0.003,
            motor_ms=tuple(float(ms) for ms in DENIED_MS),
        )
        joins = {session: dict.fromkeys(CARS, 200.0) for session in "ab"}
        events = {
            session: [name for name, count in wanted.items() for _ in range(count)]
            for session, wanted in zip("ab", (WHOLE_SESSION, OPEN_SESSION), strict=True)
        }
        return Outcome(
            members=CARS,
            bursts=bursts,
            refusals=[refusal],
            joins=joins,
            answer_joins=0,
            left=dict.fromkeys(CARS, EPOCH_S + 12.2),
            session_over_s=EPOCH_S + 12.0,
            kill_s=bursts[2].end_s,
            kill_idle_ms=1030.0,
            dead_presence="lost",
            messages=180,
            events=events,
        )


def test_a_story_that_is_right_passes_and_leaves_its_files(tmp_path: Path) -> None:
    verdict = Made().judge(tmp_path)

    assert [f"{check.name}: {check.detail}" for check in verdict.failed] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "heard-car-1-2.wav",
        "heard-car-1-3.wav",
        "heard-car-1-4.wav",
        "heard-car-2-1.wav",
        "heard-car-3-1.wav",
        "heard-car-3-2.wav",
        "heard-car-3-3.wav",
        "said-car-1-1.wav",
        "said-car-2-2.wav",
        "said-car-2-3.wav",
        "said-car-3-4.wav",
        "said-car-3-refused.wav",
    ]


def leak(user: str, at_s: float, gain_db: float) -> Callable[[Made], None]:
    return lambda made: made.put(made.ears[user], coded("refused"), at_s, gain_db)


def own_voice(made: Made) -> None:
    made.put(made.ears["car-1"], coded("first"), STARTS["first"] + LAG_S)


def one_packet_between_talks(made: Made) -> None:
    made.put(made.ears["car-2"], coded("answer")[RATE_HZ : RATE_HZ + 960], 11.5)


def heard_after_the_kill(made: Made) -> None:
    made.put(made.ears["car-1"], coded("killed")[: 3 * RATE_HZ], STARTS["killed"] + KILL_AFTER_S + 0.4)


def deaf(made: Made) -> None:
    made.ears["car-3"][:] = 0


def late(made: Made) -> None:
    made.ears["car-2"] = np.roll(made.ears["car-2"], round(0.6 * RATE_HZ))


def nameless(made: Made) -> None:
    refusal = made.outcome.refusals[0]
    refusal.deny = FloorDeny(rev=1, request_id=(1, 1, 1, 1), cause=refusal.deny.cause, speaker="car-1")


def not_felt(made: Made) -> None:
    made.outcome.refusals[0].motor_ms = (100.0,)


def slow_grant(made: Made) -> None:
    made.outcome.bursts[0].handled_s += 0.4


def joined_for_the_answer(made: Made) -> None:
    made.outcome.answer_joins = 1


def slow_join(made: Made) -> None:
    made.outcome.joins["a"]["car-2"] = 5000.0


def one_stays(made: Made) -> None:
    del made.outcome.left["car-2"]


def freed_late(made: Made) -> None:
    made.outcome.kill_idle_ms = 5600.0


def undead(made: Made) -> None:
    made.outcome.dead_presence = "offline"


def event_missing(made: Made) -> None:
    made.outcome.events["a"].remove("SESSION_ENDED")


def unreadable(made: Made) -> None:
    made.outcome.unreadable = ["session: not JSON"]


HEARD: dict[str, tuple[Callable[[Made], None], str]] = {
    "refused speech under another's voice": (
        leak("car-2", 2.6, -20.0),
        "the refused speech of car-3 is not in car-2's ear",
    ),
    "refused speech loud in a silence": (leak("car-1", 2.6, 0.0), "car-1's ear is silent"),
    "refused speech kept for the next grant": (leak("car-1", 18.2, -3.0), "burst 4: car-1 hears car-3 wholly"),
    "one's own voice": (own_voice, "car-1's ear is silent"),
    "a packet too many": (one_packet_between_talks, "car-2's ear is silent"),
    "speech of a dead speaker": (heard_after_the_kill, "car-1's ear is silent"),
    "a deaf ear": (deaf, "burst 1: car-3 hears car-1 wholly"),
    "too late": (late, "burst 1: car-2 hears car-1 in time"),
}
TOLD: dict[str, tuple[Callable[[Made], None], str]] = {
    "a refusal without a name": (nameless, "car-3 is refused with cause"),
    "a refusal not felt": (not_felt, "car-3's driver feels"),
    "a slow grant": (slow_grant, "burst 1: car-1 is granted"),
    "a join for the answer": (joined_for_the_answer, "the answer within the hang time"),
    "a slow join": (slow_join, "session 1: all join"),
    "one that stays": (one_stays, "the session ends and all leave"),
    "freed too late": (freed_late, "the killed speaker's floor is freed"),
    "a goodbye of the dead": (undead, "the killed speaker's floor is freed"),
    "an event missing": (event_missing, "the log of events tells session 1"),
    "a message nobody can read": (unreadable, "every message of the office"),
}


@pytest.mark.parametrize("name", sorted(HEARD))
def test_what_must_not_be_heard_so_is_named_by_its_check(name: str, tmp_path: Path) -> None:
    spoil, expected = HEARD[name]
    made = Made()
    spoil(made)

    failed = [check.name for check in made.judge(tmp_path).failed]

    assert any(check.startswith(expected) for check in failed), failed


@pytest.mark.parametrize("name", sorted(TOLD))
def test_what_must_not_happen_so_is_named_by_its_check(name: str) -> None:
    spoil, expected = TOLD[name]
    made = Made()
    spoil(made)

    failed = [check.name for check in times(made.outcome) + told(made.outcome) if not check.ok]

    assert len(failed) == 1
    assert failed[0].startswith(expected)
