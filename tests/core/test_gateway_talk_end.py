"""How a talk ends: the tail, presses that come early, and releases until they are acknowledged."""

from __future__ import annotations

from gateway.core.participant_asking import TAIL_BEFORE_NEXT_S
from gateway.core.participant_words import State, Word
from gateway.core.words import Publish
from protocol.messages import (
    FloorRelease,
)
from protocol.timers import (
    RELEASE_RETRANSMIT_S,
    RELEASE_TRIES_MAX,
    TAIL_S,
)
from protocol.worker import Drained, Through
from tests.core.gateway_bench import BURST, REQUEST, Bench, words


def talking() -> Bench:
    bench = Bench().take(Word.PRESS, Word.GRANTED)
    bench.said()
    return bench


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
