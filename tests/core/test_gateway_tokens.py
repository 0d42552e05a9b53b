"""Tokens are fetched ahead, renewed early and asked for gently; and no floor message ever waits on one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.context import Context
from gateway.core.tokens import MARGIN_S, RENEW_FROM, RENEW_TO, RETRY_S_MAX, SPREAD_S, Tokens
from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import (
    CoreEvent,
    Effect,
    FetchToken,
    FromWorker,
    LinkUp,
    Pressed,
    Publish,
    Received,
    Released,
    Show,
    Tell,
    TokenCame,
    TokenFailed,
    ToWorker,
)
from protocol.messages import DeviceInfo, FloorGranted, FloorRenewed, Presence, PresenceState, Session
from protocol.rest import TokenGrant
from protocol.timers import TOKEN_WAIT_MAX_S, TOKEN_WAIT_MIN_S
from protocol.topics import Kind
from protocol.worker import (
    Arm,
    Device,
    Drained,
    Hello,
    Hold,
    KeyUp,
    Mute,
    SoundDevice,
    Through,
    Token,
    TokenWanted,
    Transmit,
    VoiceLink,
)

CHANNEL = "ptt-seoul-hq-1"


def grant(channel: str = CHANNEL, expires_in_s: int = 3600, token: str = "007x") -> TokenGrant:
    return TokenGrant(app_id="app", channel=channel, uid=17, token=token, publisher=True, expires_in_s=expires_in_s)


def session(active: bool = True, event_id: str = "e-1", rev: int = 1, **fields: Any) -> Session:
    return Session(rev=rev, store="s", active=active, channel_name=CHANNEL, event_id=event_id, **fields)


class Bench:
    """The tokens alone, with a worker that listens."""

    def __init__(self, chance: float = 0.5) -> None:
        self.ctx = Context("car-1", lambda: chance)
        self.tokens = Tokens(self.ctx, used=True)
        self.tokens.worker_ready(0.0)

    def taken(self) -> list[object]:
        """What was asked and handed over since the last look."""
        found: list[object] = []
        for effect in self.ctx.take():
            if isinstance(effect, FetchToken):
                found.append(("fetch", effect.channel))
            elif isinstance(effect, ToWorker):
                found.append(effect.command)
        return found

    def begin(self, event: Session, now: float) -> None:
        self.ctx.session = event
        self.tokens.session(event, now)

    def due(self) -> float:
        at = self.tokens.next_deadline()
        assert at is not None
        return at


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_the_first_token_is_asked_for_ahead_of_any_session_spread_over_ten_seconds(chance: float) -> None:
    bench = Bench(chance)

    bench.tokens.start(100.0)
    due = bench.due()
    bench.tokens.tick(due)

    assert due == 100.0 + SPREAD_S * chance
    assert bench.taken() == [("fetch", None)]


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_a_token_is_renewed_at_random_between_three_and_four_fifths_of_its_life(chance: float) -> None:
    bench = Bench(chance)
    bench.tokens.start(0.0)
    bench.tokens.tick(asked_at := bench.due())

    bench.tokens.came(TokenCame(grant=grant()), asked_at + 4.0)

    assert asked_at + 3600 * RENEW_FROM <= bench.due() <= asked_at + 3600 * RENEW_TO


def test_a_token_is_handed_to_the_worker_with_what_is_left_of_it_counted_from_the_asking() -> None:
    bench = Bench()
    bench.tokens.start(0.0)
    bench.tokens.tick(5.0)
    bench.taken()

    bench.tokens.came(TokenCame(grant=grant()), 9.0)

    (token,) = bench.taken()
    assert isinstance(token, Token)
    assert (token.channel, token.expires_in_s, token.publisher) == (CHANNEL, 3596.0, True)


def test_a_new_worker_is_given_what_is_held() -> None:
    bench = Bench()
    bench.tokens.came(TokenCame(grant=grant()), 0.0)
    bench.tokens.worker_gone()
    bench.tokens.came(TokenCame(grant=grant(token="007newer")), 10.0)
    bench.taken()

    bench.tokens.worker_ready(20.0)

    assert [token.token for token in bench.taken() if isinstance(token, Token)] == ["007newer"]


def test_a_token_near_its_end_is_not_used_for_a_join() -> None:
    bench = Bench()
    bench.tokens.came(TokenCame(grant=grant()), 0.0)

    usable = [bench.tokens.usable(CHANNEL, at) for at in (0.0, 3600 - MARGIN_S - 1, 3600 - MARGIN_S)]

    assert usable == [True, True, False]


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_without_a_token_at_a_sessions_start_one_is_asked_for_after_a_random_wait(chance: float) -> None:
    bench = Bench(chance)

    bench.begin(session(), 10.0)
    nothing_yet = bench.taken()
    due = bench.due()
    bench.tokens.tick(due)

    assert nothing_yet == []
    assert 10.0 + TOKEN_WAIT_MIN_S <= due <= 10.0 + TOKEN_WAIT_MAX_S
    assert bench.taken() == [("fetch", CHANNEL)]


def test_a_session_that_is_over_after_the_wait_costs_no_request() -> None:
    bench = Bench()
    bench.begin(session(), 10.0)
    due = bench.due()

    bench.begin(session(active=False, rev=2), 10.1)
    bench.tokens.tick(due)

    assert bench.taken() == []


def test_a_worker_that_joins_without_a_token_does_not_cut_that_wait_short() -> None:
    bench = Bench()
    bench.begin(session(), 10.0)

    bench.tokens.wished(TokenWanted(channel=CHANNEL, why="none"), 10.01)
    bench.tokens.tick(10.05)

    assert bench.taken() == []
    assert bench.due() >= 10.0 + TOKEN_WAIT_MIN_S


def test_the_workers_warning_fetches_at_once_and_repeated_refusals_ever_more_seldom() -> None:
    bench = Bench()
    bench.tokens.came(TokenCame(grant=grant()), 0.0)
    bench.taken()
    waits, now = [], 1000.0

    for _ in range(9):
        bench.tokens.wished(TokenWanted(channel=CHANNEL, why="refused"), now)
        waits.append(bench.due() - now)
        now = bench.due()
        bench.tokens.tick(now)
        bench.tokens.came(TokenCame(grant=grant()), now)

    assert waits[0] == 0.0
    assert waits[1:4] == [2.0, 4.0, 8.0]
    assert max(waits) == RETRY_S_MAX


def test_errors_are_answered_with_back_off_that_jitters_up_to_a_minute() -> None:
    bench = Bench(chance=0.0)
    bench.tokens.start(0.0)
    waits, now = [], 0.0

    for _ in range(9):
        bench.tokens.tick(now)
        bench.tokens.failed(TokenFailed(code="", why="no network"), now)
        waits.append(bench.due() - now)
        now = bench.due()

    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == RETRY_S_MAX / 2
    assert bench.tokens.trouble == "no network"


def test_the_office_is_not_asked_before_it_said() -> None:
    bench = Bench()
    bench.tokens.start(0.0)
    bench.tokens.tick(5.0)

    bench.tokens.failed(TokenFailed(code="busy", why="busy", retry_after_s=120.0), 6.0)
    bench.begin(session(), 7.0)
    bench.taken()
    bench.tokens.tick(8.0)

    assert bench.taken() == []
    assert bench.due() == 126.0


def test_one_failure_is_no_trouble_while_a_valid_token_is_held_and_success_clears_it() -> None:
    bench = Bench()
    bench.tokens.came(TokenCame(grant=grant()), 0.0)

    found = []
    for at in (100.0, 101.0):
        bench.tokens.failed(TokenFailed(code="", why="no network"), at)
        found.append(bench.tokens.trouble)
    bench.tokens.came(TokenCame(grant=grant()), 102.0)

    assert [*found, bench.tokens.trouble] == ["", "no network", ""]


def test_only_one_request_is_under_way_at_a_time() -> None:
    bench = Bench()
    bench.tokens.start(0.0)
    bench.tokens.tick(5.0)
    bench.begin(session(), 5.1)

    bench.tokens.tick(6.0)

    assert bench.taken() == [("fetch", None)]


def test_nobody_asks_where_agora_is_not_used() -> None:
    bench = Bench()
    bench.tokens = Tokens(bench.ctx, used=False)

    bench.tokens.start(0.0)
    bench.begin(session(), 1.0)
    bench.tokens.wished(TokenWanted(channel=CHANNEL, why="none"), 2.0)

    assert (bench.tokens.next_deadline(), bench.taken()) == (None, [])


def test_the_token_is_in_no_repr() -> None:
    bench = Bench()
    bench.tokens.came(TokenCame(grant=grant(token="007hush")), 0.0)

    assert "007hush" not in repr([TokenCame(grant=grant(token="007hush")), *bench.ctx.take()])


# --- the floor never waits on REST ------------------------------------------------------------------------------------


def vehicle(*, agora: bool) -> Vehicle:
    info = DeviceInfo(version="1", python="3", board="b", pins="p", capture="c", playback="p")
    presence = Presence(state=PresenceState.ONLINE, connection_id=(1, 1, 0), presence_no=0)
    who = Who(user="car-1", generation=1, boot=1, presence=presence, info=info, lang="en", enrolled=True, agora=agora)
    return Vehicle(who, lambda: 0.5)


def of_the_floor(effects: tuple[Effect, ...]) -> list[Effect]:
    """What the office, the driver and the microphone are told."""
    commands = (Arm, Transmit, KeyUp, Hold, Mute)
    found: list[Effect] = []
    for effect in effects:
        floor = isinstance(effect, Publish) and effect.kind in (Kind.FLOOR, Kind.FLOOR_AGAIN)
        if (
            floor
            or isinstance(effect, Tell | Show)
            or (isinstance(effect, ToWorker) and isinstance(effect.command, commands))
        ):
            found.append(effect)
    return found


REQUEST = (1, 1, 1)


def grants(press: int, rev: int) -> FloorGranted:
    return FloorGranted(rev=rev, request_id=(*REQUEST, press), burst=rev, duration_s=30.0, lease_s=3.0)


FLOOR_STEPS = st.sampled_from(
    [
        Pressed(at=0.0),
        Released(at=0.0),
        Received(kind=Kind.REPLY, message=grants(1, 5)),
        Received(kind=Kind.REPLY, message=grants(2, 9)),
        Received(kind=Kind.REPLY, message=FloorRenewed(rev=6, burst=5, renew_no=1, all_joined=True)),
        Received(kind=Kind.SESSION, message=session(rev=4, current_speaker="car-2", burst=3)),
        Received(kind=Kind.SESSION, message=session(rev=5, current_speaker="car-1", burst=5)),
        FromWorker(event=Through(burst=5, seq=1, at=0.0)),
        FromWorker(event=Drained(request_id=(*REQUEST, 1), burst=5, last_seq=3)),
    ]
)
TOKEN_STEPS = st.sampled_from(
    [
        TokenCame(grant=grant()),
        TokenCame(grant=grant(expires_in_s=1)),
        TokenFailed(code="", why="no network"),
        TokenFailed(code="revoked", why="revoked", retry_after_s=5.0),
        FromWorker(event=TokenWanted(channel=CHANNEL, why="none")),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), FLOOR_STEPS, TOKEN_STEPS, st.sampled_from([0.0, 0.05, 0.3, 2.0]))))
def test_whatever_becomes_of_tokens_the_floor_is_the_same(
    steps: list[tuple[bool, CoreEvent, CoreEvent, float]],
) -> None:
    with_tokens, without = vehicle(agora=True), vehicle(agora=False)
    for car in (with_tokens, without):
        car.start(0.0, 0)
        for event in (
            FromWorker(event=Hello(pid=1, transport="mqtt")),
            FromWorker(event=SoundDevice(device=Device.CAPTURE, ok=True)),
            FromWorker(event=VoiceLink(up=True)),
            LinkUp(),
        ):
            car.handle(event, 0.1, 0)
    now = 1.0

    for with_token_event, floor_step, token_step, wait_s in steps:
        now += wait_s
        seen = [of_the_floor(car.tick(now, 0)) for car in (with_tokens, without)]
        if with_token_event:
            seen[0] += of_the_floor(with_tokens.handle(token_step, now, 0))
        for at, car in enumerate((with_tokens, without)):
            seen[at] += of_the_floor(car.handle(floor_step, now, 0))
        assert seen[0] == seen[1]
