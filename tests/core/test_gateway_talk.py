"""One talk over time: permission as a lease, renewals, limit, tail, and presses that come early."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from gateway.core.participant_asking import TAIL_BEFORE_NEXT_S
from gateway.core.participant_words import State, Word
from gateway.core.told import Told
from gateway.core.words import Publish, Tell, ToWorker
from protocol.messages import (
    DenyCause,
    Ended,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Priority,
    RevokeCause,
)
from protocol.timers import (
    FIRST_RENEW_S,
    LEASE_S,
    LOST_S,
    RELEASE_RETRANSMIT_S,
    RELEASE_TRIES_MAX,
    REQUEST_GIVE_UP_S,
    TAIL_S,
    TRANSMIT_REPEAT_S,
)
from protocol.topics import Kind
from protocol.worker import Drained, Through, Transmit
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


# --- holding ---------------------------------------------------------------------------------------------------------


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


# --- ending ----------------------------------------------------------------------------------------------------------


def test_the_release_carries_the_number_of_the_last_frame_sent() -> None:
    bench = talking().take(Word.KEY_UP)
    bench.said()

    bench.machine.take(Word.DRAINED, bench.now, Drained(request_id=REQUEST, burst=BURST, last_seq=42))

    [release] = [e.message for e in bench.effects() if isinstance(e, Publish)]
    assert release == FloorRelease(request_id=REQUEST, burst=BURST, last_seq=42)


def test_a_tail_that_takes_too_long_is_cut_and_released_with_what_got_through() -> None:
    bench = talking()
    bench.machine.take(Word.THROUGH, bench.now, Through(burst=BURST, seq=17, at=bench.now))
    bench.take(Word.KEY_UP)
    bench.said()

    bench.run(TAIL_S + 0.02, lambda: bench.machine.take(Word.RENEWED, bench.now, bench.fitting(Word.RENEWED)))

    releases = [e.message for e in bench.effects() if isinstance(e, Publish) and isinstance(e.message, FloorRelease)]
    assert releases[0].last_seq == 17


def test_the_floor_is_renewed_while_the_tail_is_sent() -> None:
    bench = talking()
    bench.take(Word.RENEWED, Word.KEY_UP)
    bench.said()

    bench.run(1.1, bench.voice_through)

    assert "FloorRenew" in bench.said()


def test_a_drained_of_another_request_releases_nothing() -> None:
    bench = talking().take(Word.KEY_UP)
    bench.said()

    bench.machine.take(Word.DRAINED, bench.now, Drained(request_id=(0, 0, 0, 9), burst=None, last_seq=None))

    assert (bench.said(), bench.participant.discarded) == ((), 1)


def test_a_key_up_before_anything_could_be_said_takes_the_request_back() -> None:
    """What was queued is permitted only once a renewal is answered: how long its grant was under way is not known."""
    bench = Bench().take(Word.PRESS, Word.POSITION, Word.GRANTED)
    bench.said()

    bench.take(Word.KEY_UP)

    assert bench.said() == ("tell cancelled", "Mute", "FloorRelease")


def test_a_press_during_the_tail_is_captured_at_once_and_asked_for_when_the_tail_is_out() -> None:
    bench = talking().take(Word.KEY_UP, Word.PRESS)
    armed = bench.said()

    bench.take(Word.DRAINED)

    assert armed == ("KeyUp", "Arm")
    assert bench.said() == ("tell talk ended", "FloorRelease", "FloorRequest")
    assert bench.state is State.PENDING_REQUEST


def test_a_press_during_the_tail_does_not_wait_for_it_longer_than_half_a_second() -> None:
    bench = talking().take(Word.KEY_UP, Word.PRESS)
    bench.said()

    bench.run(TAIL_BEFORE_NEXT_S + 0.02)

    said = bench.said()
    cut = said.index("Mute")
    assert set(said[:cut]) == {"Transmit", "FloorRenew again"}
    assert said[cut:] == ("Mute", "tell talk ended", "FloorRelease", "FloorRequest")


def test_a_press_during_the_tail_that_is_let_go_asks_for_nothing() -> None:
    bench = talking().take(Word.KEY_UP, Word.PRESS)
    bench.said()

    bench.take(Word.KEY_UP, Word.DRAINED)

    assert bench.said() == ("Mute", "tell cancelled", "tell talk ended", "FloorRelease")


def test_a_press_during_the_tail_whose_link_is_lost_meanwhile_is_answered() -> None:
    bench = talking().take(Word.KEY_UP, Word.PRESS)
    bench.ctx.link_up = False
    bench.said()

    bench.take(Word.DRAINED)

    assert bench.said() == ("tell talk ended", "Mute", "tell no connection")


# --- releases --------------------------------------------------------------------------------------------------------


def test_a_release_is_repeated_until_it_is_acknowledged() -> None:
    bench = Bench().take(Word.PRESS, Word.KEY_UP)
    bench.said()
    bench.run(2 * RELEASE_RETRANSMIT_S + 0.02)
    repeated = bench.said()

    acked = bench.releases.acked(REQUEST)
    bench.run(5.0)

    assert repeated == ("FloorRelease again",) * 2
    assert (acked, bench.releases.acked(REQUEST)) == (True, False)
    assert bench.said() == ()


def test_a_release_nobody_answers_is_given_up_when_the_lease_must_be_long_over() -> None:
    bench = Bench().take(Word.PRESS, Word.KEY_UP)
    bench.said()

    bench.run(RELEASE_RETRANSMIT_S * (RELEASE_TRIES_MAX + 2), step_s=0.05)

    assert len(bench.said()) == RELEASE_TRIES_MAX - 1
    assert bench.machine.next_deadline() is None


def test_an_announcement_that_the_burst_is_over_answers_its_release() -> None:
    bench = talking().take(Word.KEY_UP, Word.DRAINED)

    bench.releases.burst_over(BURST - 1)
    still = REQUEST in bench.releases
    bench.releases.burst_over(BURST)

    assert (still, REQUEST in bench.releases) == (True, False)


def test_releases_are_bounded_and_the_oldest_gives_way() -> None:
    bench = Bench()

    for number in range(20):
        bench.releases.send(FloorRelease(request_id=(0, 0, 0, number), burst=number), bench.now)

    assert [(0, 0, 0, n) in bench.releases for n in (11, 12, 19)] == [False, True, True]


def test_a_release_closes_the_older_requests_that_had_no_burst() -> None:
    bench = Bench()
    bench.releases.send(FloorRelease(request_id=(0, 0, 0, 1)), bench.now)
    bench.releases.send(FloorRelease(request_id=(0, 0, 0, 2), burst=BURST), bench.now)

    bench.releases.send(FloorRelease(request_id=(0, 0, 0, 3)), bench.now)

    assert [(0, 0, 0, n) in bench.releases for n in (1, 2, 3)] == [False, True, True]


def test_nothing_is_sent_while_the_link_is_down_and_the_release_goes_out_when_it_is_back() -> None:
    bench = talking()
    bench.ctx.link_up = False
    bench.take(Word.VOICE_LOST)
    down = bench.said()
    bench.run(1.0)
    silent = bench.said()

    bench.ctx.link_up = True
    bench.run(0.6)

    assert (down, silent) == (("tell no voice", "Mute"), ())
    assert bench.said() == ("FloorRelease again",)


def test_words_of_effects_are_what_these_tests_read() -> None:
    bench = Bench().take(Word.PRESS)

    assert words(bench.effects()) == ("Arm", "FloorRequest")
