"""The floor participant: every cell of state and input, written here independently of the code's own table."""

from __future__ import annotations

from itertools import product

import pytest

from gateway.core.participant_words import State, Word
from tests.core.gateway_bench import Bench

N, P, H, R, Q = (
    State.NO_PERMISSION,
    State.PENDING_REQUEST,
    State.HAS_PERMISSION,
    State.PENDING_RELEASE,
    State.QUEUED,
)

SITUATIONS: dict[str, tuple[State, tuple[Word, ...]]] = {
    "idle": (N, ()),
    "asking": (P, (Word.PRESS,)),
    "queued": (Q, (Word.PRESS, Word.POSITION)),
    "talking": (H, (Word.PRESS, Word.GRANTED)),
    "held": (H, (Word.PRESS, Word.GRANTED, Word.LEASE)),
    "paused": (H, (Word.PRESS, Word.GRANTED, Word.PAUSED)),
    "draining": (R, (Word.PRESS, Word.GRANTED, Word.KEY_UP)),
    "releasing": (R, (Word.PRESS, Word.GRANTED, Word.KEY_UP, Word.DRAINED)),
}
"""How to come to each situation. Held: the burst is ours but muted. Paused: navigation mutes it. Releasing: the release
is not acknowledged yet."""

ABANDONED = ("Mute", "FloorRelease")

EXPECTED: dict[tuple[str, Word], tuple[State, tuple[str, ...]]] = {
    ("idle", Word.PRESS): (P, ("Arm", "FloorRequest")),
    ("idle", Word.GRANTED): (N, ("FloorRelease",)),
    ("idle", Word.EMERGENCY): (P, ("Arm", "FloorRequest")),
    ("asking", Word.EMERGENCY): (P, ("tell emergency", *ABANDONED, "Arm", "FloorRequest")),
    ("queued", Word.EMERGENCY): (P, ("tell emergency", *ABANDONED, "Arm", "FloorRequest")),
    ("talking", Word.EMERGENCY): (P, (*ABANDONED, "Arm", "FloorRequest")),
    ("held", Word.EMERGENCY): (P, (*ABANDONED, "Arm", "FloorRequest")),
    ("draining", Word.EMERGENCY): (P, (*ABANDONED, "Arm", "FloorRequest")),
    ("releasing", Word.EMERGENCY): (P, ("Arm", "FloorRequest")),
    ("asking", Word.KEY_UP): (N, ("tell cancelled", *ABANDONED)),
    ("asking", Word.GRANTED): (H, ("Transmit", "tell granted", "FloorRenew")),
    ("asking", Word.DENY): (N, ("tell denied", "Mute")),
    ("asking", Word.POSITION): (Q, ("Mute", "tell queued")),
    ("asking", Word.LINK_DOWN): (N, ("tell no connection", *ABANDONED)),
    ("asking", Word.VOICE_LOST): (N, ("tell no voice", *ABANDONED)),
    ("asking", Word.ASK_AGAIN): (P, ("FloorRequest again",)),
    ("asking", Word.GIVE_UP): (N, ("tell no answer", *ABANDONED)),
    ("queued", Word.KEY_UP): (N, ("tell cancelled", *ABANDONED)),
    ("queued", Word.GRANTED): (H, ("Arm", "FloorRenew")),
    ("queued", Word.DENY): (N, ("tell denied", "Mute")),
    ("queued", Word.LINK_DOWN): (N, ("tell no connection", *ABANDONED)),
    ("queued", Word.VOICE_LOST): (N, ("tell no voice", *ABANDONED)),
    ("queued", Word.ASK_AGAIN): (Q, ("FloorRequest again",)),
    ("talking", Word.KEY_UP): (R, ("KeyUp",)),
    ("talking", Word.REVOKE): (N, ("tell revoked", *ABANDONED)),
    ("talking", Word.SESSION): (N, ("tell floor lost", *ABANDONED)),
    ("talking", Word.LINK_DOWN): (H, ("Hold", "tell not heard")),
    ("talking", Word.LINK_UP): (H, ("FloorRenew again",)),
    ("talking", Word.VOICE_LOST): (N, ("tell no voice", *ABANDONED)),
    ("talking", Word.TRANSMIT): (H, ("Transmit",)),
    ("talking", Word.RENEW): (H, ("FloorRenew again",)),
    ("talking", Word.LEASE): (H, ("Hold", "tell not heard")),
    ("talking", Word.LOST): (N, ("tell floor lost", *ABANDONED)),
    ("talking", Word.WARNING): (H, ("tell limit near",)),
    ("talking", Word.LIMIT): (R, ("tell limit reached", "KeyUp")),
    ("held", Word.KEY_UP): (R, ("KeyUp",)),
    ("held", Word.RENEWED): (H, ("Transmit", "tell heard again")),
    ("held", Word.REVOKE): (N, ("tell revoked", *ABANDONED)),
    ("held", Word.SESSION): (N, ("tell floor lost", *ABANDONED)),
    ("held", Word.LINK_UP): (H, ("FloorRenew again",)),
    ("held", Word.VOICE_LOST): (N, ("tell no voice", *ABANDONED)),
    ("held", Word.RENEW): (H, ("FloorRenew again",)),
    ("held", Word.LOST): (N, ("tell floor lost", *ABANDONED)),
    ("held", Word.WARNING): (H, ("tell limit near",)),
    ("held", Word.LIMIT): (R, ("tell limit reached", "KeyUp")),
    ("asking", Word.FOCUS_LOST): (N, ("tell phone took over", *ABANDONED)),
    ("asking", Word.PAUSED): (P, ("Mute",)),
    ("asking", Word.STUCK): (N, ABANDONED),
    ("queued", Word.GIVE_UP): (N, ("tell no answer", *ABANDONED)),
    ("queued", Word.FOCUS_LOST): (N, ("tell phone took over", *ABANDONED)),
    ("queued", Word.STUCK): (N, ABANDONED),
    ("talking", Word.FOCUS_LOST): (N, ("tell phone took over", *ABANDONED)),
    ("talking", Word.PAUSED): (H, ("Hold", "tell navigation speaks")),
    ("talking", Word.PAUSED_LONG): (N, ("tell navigation took over", *ABANDONED)),
    ("talking", Word.STUCK): (N, ABANDONED),
    ("held", Word.FOCUS_LOST): (N, ("tell phone took over", *ABANDONED)),
    ("held", Word.PAUSED): (H, ("tell navigation speaks",)),
    ("held", Word.PAUSED_LONG): (N, ("tell navigation took over", *ABANDONED)),
    ("held", Word.STUCK): (N, ABANDONED),
    ("paused", Word.KEY_UP): (R, ("Mute", "tell talk ended", "FloorRelease")),
    ("paused", Word.EMERGENCY): (P, (*ABANDONED, "Arm", "FloorRequest")),
    ("paused", Word.REVOKE): (N, ("tell revoked", *ABANDONED)),
    ("paused", Word.SESSION): (N, ("tell floor lost", *ABANDONED)),
    ("paused", Word.LINK_UP): (H, ("FloorRenew again",)),
    ("paused", Word.VOICE_LOST): (N, ("tell no voice", *ABANDONED)),
    ("paused", Word.RENEW): (H, ("FloorRenew again",)),
    ("paused", Word.LOST): (N, ("tell floor lost", *ABANDONED)),
    ("paused", Word.WARNING): (H, ("tell limit near",)),
    ("paused", Word.LIMIT): (R, ("tell limit reached", "Mute", "tell talk ended", "FloorRelease")),
    ("paused", Word.FOCUS_LOST): (N, ("tell phone took over", *ABANDONED)),
    ("paused", Word.RESUMED): (H, ("Transmit", "tell heard again")),
    ("paused", Word.PAUSED_LONG): (N, ("tell navigation took over", *ABANDONED)),
    ("paused", Word.STUCK): (N, ABANDONED),
    ("draining", Word.PRESS): (R, ("Arm",)),
    ("draining", Word.REVOKE): (N, ("tell revoked", *ABANDONED)),
    ("draining", Word.SESSION): (N, ("tell floor lost", *ABANDONED)),
    ("draining", Word.LINK_DOWN): (R, ("Hold", "tell not heard")),
    ("draining", Word.LINK_UP): (R, ("FloorRenew again",)),
    ("draining", Word.DRAINED): (R, ("tell talk ended", "FloorRelease")),
    ("draining", Word.VOICE_LOST): (N, ("tell no voice", *ABANDONED)),
    ("draining", Word.TRANSMIT): (R, ("Transmit",)),
    ("draining", Word.RENEW): (R, ("FloorRenew again",)),
    ("draining", Word.LEASE): (R, ("Hold", "tell not heard")),
    ("draining", Word.LOST): (N, ("tell floor lost", *ABANDONED)),
    ("draining", Word.TAIL): (R, ("Mute", "tell talk ended", "FloorRelease")),
    ("releasing", Word.PRESS): (P, ("Arm", "FloorRequest")),
}
"""What is not here changes nothing and does nothing."""

REFUSED = {
    "idle": {Word.DENY, Word.POSITION, Word.RENEWED, Word.REVOKE},
    "asking": {Word.RENEWED, Word.REVOKE},
    "queued": {Word.RENEWED, Word.REVOKE},
    "talking": {Word.DENY, Word.POSITION},
    "held": {Word.DENY, Word.POSITION},
    "paused": {Word.DENY, Word.POSITION},
    "draining": {Word.DENY, Word.POSITION},
    "releasing": {Word.DENY, Word.POSITION, Word.RENEWED, Word.REVOKE},
}
"""Messages that a situation discards, and counts."""


def bench_in(situation: str) -> Bench:
    state, inputs = SITUATIONS[situation]
    bench = Bench().take(*inputs)
    assert bench.state is state
    bench.said()
    return bench


@pytest.mark.parametrize(("situation", "word"), list(product(SITUATIONS, Word)))
def test_each_input_in_each_situation_does_what_the_table_says(situation: str, word: Word) -> None:
    bench = bench_in(situation)
    before = bench.state

    bench.take(word)

    assert (bench.state, bench.said()) == EXPECTED.get((situation, word), (before, ()))


@pytest.mark.parametrize(
    ("situation", "word"),
    [
        (situation, word)
        for situation, refused in REFUSED.items()
        for word in sorted(refused, key=lambda word: word.value)
    ],
)
def test_a_message_without_a_procedure_is_discarded_and_counted(situation: str, word: Word) -> None:
    bench = bench_in(situation)

    bench.take(word)

    assert bench.participant.discarded == 1


@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_input_makes_it_transmit_but_a_grant_an_answered_renewal_or_the_end_of_a_pause(situation: str) -> None:
    for word in Word:
        bench = bench_in(situation)
        before = bench.participant.transmitting
        bench.take(word)
        became = bench.participant.transmitting and not before
        expected = (situation, word) in {
            ("asking", Word.GRANTED),
            ("held", Word.RENEWED),
            ("paused", Word.RESUMED),
        }
        assert became is expected, word


@pytest.mark.parametrize("situation", SITUATIONS)
def test_whatever_comes_a_lost_worker_or_a_lost_link_never_leaves_it_transmitting(situation: str) -> None:
    for word in (Word.VOICE_LOST, Word.LINK_DOWN):
        bench = bench_in(situation)
        bench.take(word)
        assert not bench.participant.transmitting
