"""One talk over time: permission as a lease, renewals, limit, and what ends it from outside."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.core.participant_words import State, Word
from gateway.core.words import Publish, Tell, ToWorker
from protocol.messages import (
    Ended,
    FloorRenew,
    FloorRenewed,
    FloorRevoke,
    Priority,
    RevokeCause,
)
from protocol.timers import (
    LEASE_S,
    LOST_S,
    TRANSMIT_REPEAT_S,
)
from protocol.worker import Transmit
from tests.core.gateway_bench import BURST, Bench, session


def talking() -> Bench:
    bench = Bench().take(Word.PRESS, Word.GRANTED)
    bench.said()
    return bench


def test_permission_is_repeated_to_the_worker_while_it_lasts() -> None:
    bench = talking()
    repeats: list[float] = []

    def each() -> None:
        for effect in bench.effects():
            if isinstance(effect, ToWorker) and isinstance(effect.command, Transmit):
                repeats.append(bench.now)
            if isinstance(effect, Publish) and isinstance(effect.message, FloorRenew):
                bench.renew_answered(effect.message.renew_no)
        bench.voice_through()

    bench.run(4.0, each)

    gaps = [b - a for a, b in pairwise(repeats)]
    assert len(repeats) >= 18
    assert max(gaps) <= TRANSMIT_REPEAT_S + 0.03


def test_an_unanswered_speaker_mutes_at_the_leases_end_counted_from_the_sending_of_the_last_answered_renewal() -> None:
    bench = talking()
    bench.take(Word.RENEWED)
    bench.said()
    talk = bench.participant.talk
    assert talk is not None
    sent_s = talk.baseline

    bench.run(sent_s + LEASE_S - bench.now - 0.02, bench.voice_through)
    before = bench.participant.transmitting
    bench.run(0.04, bench.voice_through)

    assert (before, bench.participant.transmitting) == (True, False)
    assert "Hold" in bench.said()


def test_it_gives_the_floor_up_after_five_unanswered_seconds_and_says_so() -> None:
    bench = talking()
    bench.take(Word.RENEWED)
    bench.said()

    bench.run(LOST_S + 0.1, bench.voice_through)

    said = bench.said()
    assert said[-3:] == ("tell floor lost", "Mute", "FloorRelease")
    assert said.count("tell not heard") == 1
    assert bench.state is State.NO_PERMISSION


def test_the_same_burst_answered_in_time_resumes() -> None:
    bench = talking()
    bench.take(Word.RENEWED)
    bench.run(LEASE_S + 0.5, bench.voice_through)
    renewals = [e.message for e in bench.effects() if isinstance(e, Publish) and isinstance(e.message, FloorRenew)]

    bench.renew_answered(renewals[-1].renew_no)

    assert bench.said() == ("Transmit", "tell heard again")


@pytest.mark.parametrize("number", [0, 99])
def test_a_renewal_that_was_never_sent_proves_nothing(number: int) -> None:
    bench = talking()

    bench.renew_answered(number)

    assert bench.participant.discarded == 1


def test_an_older_answer_after_a_newer_one_does_not_shorten_or_lengthen_the_lease() -> None:
    bench = talking()
    bench.take(Word.RENEW, after_s=1.0)
    talk = bench.participant.talk
    assert talk is not None
    bench.renew_answered(2)
    ends_s = talk.lease_ends

    bench.renew_answered(1)

    assert talk.lease_ends == ends_s
    assert bench.participant.discarded == 1


def test_a_renewal_of_another_burst_is_not_ours() -> None:
    bench = talking()

    bench.machine.take(Word.RENEWED, bench.now, FloorRenewed(rev=1, burst=BURST + 1, renew_no=1))

    assert bench.participant.discarded == 1


def test_a_speaker_whose_voice_does_not_get_through_stops_renewing() -> None:
    bench = talking()
    bench.take(Word.RENEWED)
    bench.said()

    bench.run(1.2)
    first = bench.said().count("FloorRenew")
    bench.run(1.5)

    assert first <= 1
    assert "FloorRenew" not in bench.said()


def test_the_driver_is_warned_before_the_limit_and_capture_ends_at_it() -> None:
    bench = Bench().take(Word.PRESS)
    bench.machine.take(Word.GRANTED, bench.now, bench.grant(duration_s=8.0))
    told: list[tuple[float, str]] = []
    began_s = bench.now

    def each() -> None:
        for effect in bench.effects():
            if isinstance(effect, Publish) and isinstance(effect.message, FloorRenew):
                bench.renew_answered(effect.message.renew_no)
            if isinstance(effect, Tell):
                told.append((round(bench.now - began_s, 1), effect.what.value))
        bench.voice_through()

    bench.run(8.1, each)

    assert told == [(0.0, "granted"), (3.0, "limit near"), (8.0, "limit reached")]
    assert bench.state is State.PENDING_RELEASE


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (RevokeCause.PREEMPTED, "tell preempted"),
        (RevokeCause.BURST_TOO_LONG, "tell limit reached"),
        (RevokeCause.NO_PERMISSION, "tell revoked"),
    ],
)
def test_a_revoke_stops_at_once_and_says_why(cause: RevokeCause, told: str) -> None:
    bench = talking()

    bench.machine.take(Word.REVOKE, bench.now, FloorRevoke(rev=50, burst=BURST, cause=cause))

    assert bench.said() == (told, "Mute", "FloorRelease")


def test_a_revoke_of_another_burst_is_discarded() -> None:
    bench = talking()

    bench.machine.take(Word.REVOKE, bench.now, FloorRevoke(rev=50, burst=BURST - 1, cause=RevokeCause.OTHER))

    assert (bench.state, bench.participant.discarded) == (State.HAS_PERMISSION, 1)


@pytest.mark.parametrize(
    ("newer", "told"),
    [
        (session(99, BURST, None, ended=Ended.LIMIT), "tell limit reached"),
        (session(99, BURST, None, ended=Ended.PREEMPTED), "tell preempted"),
        (session(99, BURST, None, ended=Ended.LOST), "tell floor lost"),
        (session(99, BURST + 1, "car-2", priority=Priority.EMERGENCY), "tell preempted"),
        (session(99, BURST + 1, "car-2"), "tell floor lost"),
    ],
)
def test_an_announcement_without_us_ends_our_burst_and_says_why(newer: object, told: str) -> None:
    bench = talking()

    bench.machine.take(Word.SESSION, bench.now, newer)

    assert bench.said() == (told, "Mute", "FloorRelease")


@pytest.mark.parametrize("session_", [session(99, BURST, "car-1"), session(1, BURST - 1, "car-2")])
def test_our_own_or_an_older_announcement_changes_nothing(session_: object) -> None:
    bench = talking()

    bench.machine.take(Word.SESSION, bench.now, session_)

    assert (bench.said(), bench.state) == ((), State.HAS_PERMISSION)
