"""Asking for the floor: requests, refusals, and a grant with its first renewal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.core.participant_words import State, Word
from gateway.core.told import Told
from gateway.core.words import Publish, Tell, ToWorker
from protocol.messages import (
    DenyCause,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRenew,
    FloorRequest,
)
from protocol.timers import (
    FIRST_RENEW_S,
    REQUEST_GIVE_UP_S,
)
from protocol.topics import Kind
from protocol.worker import Transmit
from tests.core.gateway_bench import BURST, CONNECTION, REQUEST, Bench, session, words


def talking() -> Bench:
    bench = Bench().take(Word.PRESS, Word.GRANTED)
    bench.said()
    return bench


# --- asking ----------------------------------------------------------------------------------------------------------


def test_a_request_carries_connection_and_press_number_and_each_press_a_higher_one() -> None:
    bench = Bench().take(Word.PRESS, Word.DENY, Word.PRESS)

    requests = [e.message for e in bench.effects() if isinstance(e, Publish)]

    assert requests == [
        FloorRequest(request_id=(*CONNECTION, 1)),
        FloorRequest(request_id=(*CONNECTION, 2)),
    ]


def test_floor_messages_expire_are_not_retained_and_repeat_on_a_topic_of_their_own() -> None:
    bench = Bench().take(Word.PRESS)
    bench.run(0.6)

    sent = [e for e in bench.effects() if isinstance(e, Publish)]

    assert [(e.kind, e.ids, e.retain, e.expiry_s) for e in sent] == [
        (Kind.FLOOR, ("car-1",), False, 2),
        (Kind.FLOOR_AGAIN, ("car-1",), False, 2),
    ]


def test_an_unanswered_request_is_repeated_and_given_up_in_time() -> None:
    bench = Bench().take(Word.PRESS)
    bench.run(REQUEST_GIVE_UP_S - 0.02)
    asked = bench.said()
    bench.run(0.05)

    assert asked == ("Arm", "FloorRequest", *["FloorRequest again"] * 3)
    assert bench.said() == ("tell no answer", "Mute", "FloorRelease")
    assert bench.state is State.NO_PERMISSION


@pytest.mark.parametrize(
    ("problem", "link_up", "told"),
    [
        (None, False, "tell no connection"),
        (Told.NO_VOICE, True, "tell no voice"),
        (Told.NO_MICROPHONE, True, "tell no microphone"),
        (Told.NO_VOICE, False, "tell no connection"),
    ],
)
def test_a_press_that_cannot_be_sent_is_answered_at_once_and_asks_for_nothing(
    problem: Told | None, link_up: bool, told: str
) -> None:
    bench = Bench()
    bench.ctx.voice_problem, bench.ctx.link_up = problem, link_up

    bench.take(Word.PRESS)

    assert (bench.said(), bench.state) == ((told,), State.NO_PERMISSION)


def test_a_refusal_says_who_and_for_how_long() -> None:
    bench = Bench().take(Word.PRESS)
    bench.said()

    bench.take(Word.DENY)

    [told] = [e for e in bench.effects() if isinstance(e, Tell)]
    assert (told.what, told.press_no, told.name, told.remaining_s) == (Told.DENIED, 1, "two", 9.0)


def test_a_server_that_failed_is_no_other_speaker() -> None:
    bench = Bench().take(Word.PRESS)
    bench.said()

    bench.machine.take(Word.DENY, bench.now, FloorDeny(rev=11, request_id=REQUEST, cause=DenyCause.INTERNAL_ERROR))

    assert bench.said() == ("tell no answer", "Mute")


@pytest.mark.parametrize("word", [Word.DENY, Word.POSITION])
def test_an_answer_to_another_request_is_discarded(word: Word) -> None:
    bench = Bench().take(Word.PRESS, Word.DENY, Word.PRESS)
    bench.said()
    late = Bench().fitting(word)  # it names the first press

    bench.machine.take(word, bench.now, late)

    assert (bench.said(), bench.state, bench.participant.discarded) == ((), State.PENDING_REQUEST, 1)


# --- a grant ---------------------------------------------------------------------------------------------------------


def test_a_grant_is_renewed_at_once_and_permission_does_not_outlast_what_the_server_promised() -> None:
    bench = Bench().take(Word.PRESS)
    bench.said()
    asked_s = bench.now

    bench.take(Word.GRANTED, after_s=0.3)

    [transmit] = [e.command for e in bench.effects() if isinstance(e, ToWorker)]
    assert isinstance(transmit, Transmit)
    assert (transmit.request_id, transmit.burst) == (REQUEST, BURST)
    assert transmit.until == pytest.approx(asked_s + FIRST_RENEW_S)


def test_a_first_renewal_that_nobody_answers_is_repeated_to_every_replica_before_the_grant_is_freed() -> None:
    """A stopped replica swallows what is shared among them; a grant without a renewal is freed."""
    bench = talking()

    bench.run(FIRST_RENEW_S - 0.1, bench.voice_through)

    assert "FloorRenew again" in bench.said()


def test_a_renewal_behind_an_answered_one_is_read_by_one_replica_and_one_behind_an_unanswered_one_by_all() -> None:
    bench = talking()
    bench.renew_answered(1)

    bench.run(2.1, bench.voice_through)

    assert [word for word in bench.said() if word.startswith("FloorRenew")] == ["FloorRenew", "FloorRenew again"]


def answering_after(bench: Bench, trip_s: float, said: list[str]) -> Callable[[], None]:
    """Each renewal is answered `trip_s` after it was sent; voice gets through. What the vehicle does goes to `said`."""
    under_way: list[tuple[float, int]] = []

    def step() -> None:
        bench.voice_through()
        for effect in bench.effects():
            said.extend(words([effect]))
            if isinstance(effect, Publish) and isinstance(effect.message, FloorRenew):
                under_way.append((bench.now + trip_s, effect.message.renew_no))
        while under_way and under_way[0][0] <= bench.now:
            bench.renew_answered(under_way.pop(0)[1])

    return step


@pytest.mark.parametrize("trip_s", [0.05, 0.6, 1.0, 1.45])
def test_over_a_line_whose_round_trip_takes_up_to_a_second_and_a_half_speech_has_no_gap(trip_s: float) -> None:
    bench = Bench().take(Word.PRESS)
    bench.run(trip_s - 0.01)
    bench.said()
    said: list[str] = []

    bench.take(Word.GRANTED)
    bench.run(12.0, answering_after(bench, trip_s, said))

    assert said[:3] == ["Transmit", "tell granted", "FloorRenew"]
    assert {word for word in said if word.startswith("tell") or word == "Hold"} == {"tell granted"}


def test_a_grant_whose_renewals_stay_unanswered_is_muted_when_it_may_be_freed_and_told() -> None:
    bench = Bench().take(Word.PRESS)
    asked_s = bench.now
    bench.run(1.5)
    bench.take(Word.GRANTED)
    bench.said()

    bench.run(asked_s + FIRST_RENEW_S - bench.now + 0.02, bench.voice_through)

    assert [word for word in bench.said() if word in ("Hold", "tell not heard")] == ["Hold", "tell not heard"]


def test_a_grant_older_than_the_session_that_ended_it_is_not_taken() -> None:
    bench = Bench().take(Word.PRESS)
    bench.said()
    bench.ctx.session = session(99, BURST + 1, "car-2")

    bench.take(Word.GRANTED)

    assert (bench.said(), bench.state) == (("tell floor lost", "Mute", "FloorRelease"), State.NO_PERMISSION)


def test_a_duplicate_of_its_own_grant_is_no_stray() -> None:
    bench = talking()

    bench.take(Word.GRANTED)

    assert (bench.said(), bench.state) == ((), State.HAS_PERMISSION)


def test_a_stray_grant_is_released_once_however_often_it_comes() -> None:
    bench = Bench()
    stray = FloorGranted(rev=1, request_id=(0, 6, 1, 3), burst=2, duration_s=30, lease_s=3)

    for _ in range(3):
        bench.machine.take(Word.GRANTED, bench.now, stray)

    releases = [e.message for e in bench.effects() if isinstance(e, Publish)]
    assert releases == [FloorRelease(request_id=(0, 6, 1, 3), burst=2)]
