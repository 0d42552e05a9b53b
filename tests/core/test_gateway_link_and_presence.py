"""Dialling for ever, presence in its order, and heartbeats: how a vehicle keeps its link and says who it is."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from gateway.core.link import BACK_AFTER_S, FIRST_WAIT_S, STEADY_S, TOLD_AFTER_S, WAIT_S_MAX
from gateway.core.told import Told
from gateway.core.words import Note, Publish, Tell
from protocol.ids import JSON_INT_MAX
from protocol.messages import Heartbeat, Presence, PresenceState
from protocol.timers import HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S, JOIN_SPREAD_S
from protocol.topics import Kind
from tests.core.gateway_parts_rig import Parts


@pytest.fixture
def parts() -> Parts:
    return Parts()


# --- link -------------------------------------------------------------------------------------------------------------


def test_it_dials_at_once_with_its_identity_and_a_will_newer_than_anything_it_will_say(parts: Parts) -> None:
    parts.link.start(10.0)
    parts.link.tick(10.0)

    [dial] = parts.dials()

    assert dial.connection_id == (3, 8, 1)
    assert (dial.will.connection_id, dial.will.presence_no) == ((3, 8, 1), JSON_INT_MAX)
    assert (dial.will.state, dial.will.in_channel, dial.will.name) == (PresenceState.LOST, None, "one")


def test_each_attempt_has_a_newer_connection_id(parts: Parts) -> None:
    parts.link.start(0.0)
    ids = []
    now = 0.0
    for _ in range(5):
        parts.link.tick(now)
        ids += [dial.connection_id for dial in parts.dials()]
        parts.link.down(now, "refused")
        now = parts.link.next_deadline() or 0.0
        now += WAIT_S_MAX

    assert ids == [(3, 8, n) for n in range(1, 6)]


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_it_never_stops_trying_and_waits_longer_within_bounds_with_jitter(parts: Parts, chance: float) -> None:
    parts.chance = chance
    parts.link.start(0.0)
    now, waits = 0.0, []
    for _ in range(40):
        parts.link.tick(now)
        assert len(parts.dials()) == 1
        parts.link.down(now, "refused")
        parts.link.lost = True  # only dialling is looked at here
        deadline = parts.link.next_deadline()
        assert deadline is not None
        waits.append(deadline - now)
        now = deadline

    assert waits[0] == pytest.approx(FIRST_WAIT_S * (0.5 + chance / 2))
    assert waits[-1] == pytest.approx(WAIT_S_MAX * (0.5 + chance / 2))
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(waits))


def test_no_second_attempt_is_made_while_one_is_under_way(parts: Parts) -> None:
    parts.link.start(0.0)
    parts.link.tick(0.0)
    parts.link.tick(5.0)

    assert len(parts.dials()) == 1
    assert not parts.link.waits_to_dial


@pytest.mark.parametrize(("lived_s", "wait_s"), [(STEADY_S, FIRST_WAIT_S), (STEADY_S - 1, FIRST_WAIT_S * 8)])
def test_only_a_connection_that_lasted_resets_the_back_off(parts: Parts, lived_s: float, wait_s: float) -> None:
    parts.chance = 1.0
    parts.link.start(0.0)
    for _ in range(3):
        parts.link.down(0.0, "refused")
    parts.link.up(1.0)

    parts.link.down(1.0 + lived_s, "lost")

    assert parts.link._dial_at == pytest.approx(1.0 + lived_s + wait_s)


def test_the_driver_is_told_of_a_link_that_stays_away_once_and_when_it_is_back(parts: Parts) -> None:
    parts.connected()
    parts.link.down(10.0, "lost")
    parts.link.tick(10.0 + TOLD_AFTER_S - 0.01)
    early = [e.what for e in parts.ctx.take() if isinstance(e, Tell)]
    for extra_s in (0.0, 1.0, 2.0):
        parts.link.tick(10.0 + TOLD_AFTER_S + extra_s)
    late = [e.what for e in parts.ctx.take() if isinstance(e, Tell)]
    parts.link.up(20.0)
    parts.link.tick(20.0 + BACK_AFTER_S)
    back = [e.what for e in parts.ctx.take() if isinstance(e, Tell)]

    assert (early, late, back) == ([], [Told.LINK_LOST], [Told.LINK_BACK])


def test_a_link_that_is_back_soon_is_not_worth_a_word(parts: Parts) -> None:
    parts.connected()
    parts.link.down(10.0, "lost")
    parts.link.up(10.5)

    assert [e for e in parts.ctx.take() if isinstance(e, Tell)] == []


def test_the_log_has_one_line_for_the_same_reason_over_and_over(parts: Parts) -> None:
    parts.link.start(0.0)
    for _ in range(5):
        parts.link.down(0.0, "refused")
    parts.link.down(0.0, "no route")

    assert [e.fields["reason"] for e in parts.ctx.take() if isinstance(e, Note)] == ["refused", "no route"]


def test_a_stopped_link_dials_no_more(parts: Parts) -> None:
    parts.link.start(0.0)
    parts.link.stop()
    parts.link.tick(100.0)

    assert parts.dials() == []


# --- presence ---------------------------------------------------------------------------------------------------------


def test_it_says_online_first_on_every_connection_with_a_number_that_begins_anew(parts: Parts) -> None:
    parts.link.start(0.0)
    said = []
    for now in (0.0, 50.0):
        parts.link.tick(now)
        parts.link.up(now)
        parts.presence.connected(now, 1000)
        said += parts.presences()
        parts.link.down(now + 1, "lost")
        parts.presence.disconnected()

    assert [(p.connection_id, p.presence_no, p.state) for p in said] == [
        ((3, 8, 1), 1, PresenceState.ONLINE),
        ((3, 8, 2), 1, PresenceState.ONLINE),
    ]


def test_joins_are_told_within_a_second_at_random_and_only_the_newest(parts: Parts) -> None:
    parts.connected()
    parts.chance = 0.9

    parts.presence.channel("e-1", 1.0)
    parts.presence.tick(1.0 + 0.5 * JOIN_SPREAD_S)
    early = parts.presences()
    parts.presence.channel("e-2", 1.6)
    parts.presence.tick(1.0 + JOIN_SPREAD_S)

    assert early == []
    assert [(p.in_channel, p.presence_no) for p in parts.presences()] == [("e-2", 2)]


def test_a_channel_left_and_joined_again_meanwhile_is_no_news(parts: Parts) -> None:
    parts.connected()
    parts.presence.channel("e-1", 1.0)
    parts.presence.channel(None, 1.1)
    parts.presence.tick(3.0)

    assert parts.presences() == []


@pytest.mark.parametrize(
    ("change", "corrected"),
    [
        ({}, False),
        ({"presence_no": 0}, False),
        ({"state": PresenceState.LOST, "presence_no": 5}, True),
        ({"state": PresenceState.OFFLINE, "presence_no": 5}, True),
        ({"connection_id": (3, 7, 9), "presence_no": 40}, True),
        ({"connection_id": (3, 7, 9), "presence_no": JSON_INT_MAX, "state": PresenceState.LOST}, True),
        ({"presence_no": 9}, True),
        ({"connection_id": (3, 9, 1)}, False),
    ],
)
def test_the_brokers_copy_is_put_right_unless_it_is_ours_or_newer(
    parts: Parts, change: dict[str, object], corrected: bool
) -> None:
    parts.connected()
    mine = Presence(state=PresenceState.ONLINE, connection_id=(3, 8, 1), presence_no=1, name="one")

    parts.presence.retained(replace(mine, **change), 1.0)
    parts.presence.tick(2.5)

    said = parts.presences()
    assert len(said) == corrected
    assert all(p.state is PresenceState.ONLINE and p.connection_id == (3, 8, 1) for p in said)


def test_corrections_come_at_most_once_a_second(parts: Parts) -> None:
    parts.connected()
    dead = Presence(state=PresenceState.LOST, connection_id=(3, 8, 1), presence_no=5)
    said = 0
    for tenth in range(50):
        parts.presence.retained(dead, tenth / 10)
        parts.presence.tick(tenth / 10)
        said += len(parts.presences())

    assert said <= 6


def test_a_newer_unit_under_the_same_user_is_told_and_left_alone(parts: Parts) -> None:
    parts.connected()

    newer = Presence(state=PresenceState.ONLINE, connection_id=(4, 1, 1), presence_no=1)
    parts.presence.retained(newer, 1.0)

    assert parts.presence.newer_elsewhere == 1
    assert [e.warning for e in parts.ctx.take() if isinstance(e, Note)] == [True]


@pytest.mark.parametrize(
    ("seen", "outdone"),
    [
        ({"connection_id": (3, 9, 4), "state": PresenceState.LOST, "presence_no": JSON_INT_MAX}, True),
        ({"connection_id": (3, 9, 4), "state": PresenceState.OFFLINE}, True),
        ({"connection_id": (3, 9, 4), "hardware": "pi-1"}, True),
        ({"connection_id": (3, 9, 4), "hardware": None}, True),
        ({"connection_id": (3, 9, 4), "hardware": "pi-2"}, False),
        ({"connection_id": (3, 9, 4), "hardware": "pi-2", "state": PresenceState.LOST}, True),
        ({"connection_id": (4, 1, 1), "state": PresenceState.LOST}, False),
        ({"connection_id": (4, 1, 1)}, False),
        ({"connection_id": (3, JSON_INT_MAX, 1), "state": PresenceState.LOST}, False),
        ({"connection_id": (3, 8, 1), "state": PresenceState.LOST}, False),
        ({"connection_id": (3, 8, 1), "state": PresenceState.LOST, "presence_no": JSON_INT_MAX}, True),
    ],
)
def test_a_newer_connection_is_outdone_unless_it_lives_in_another_unit_or_was_enrolled_later(
    parts: Parts, seen: dict[str, object], outdone: bool
) -> None:
    """A new card whose clock is not set counts its starts from below what the old card had: nobody would hear it. The
    broker has one connection of a user: what lives under it by an old word, and is not another unit's, is dead."""
    parts.connected()
    online = Presence(state=PresenceState.ONLINE, connection_id=(3, 8, 1), presence_no=1, hardware="pi-1")
    other = replace(online, **seen)

    newer = parts.presence.retained(other, 1.0) and parts.link.outdo(other.connection_id)
    parts.link.down(1.0, "anew")
    parts.link.tick(1.0 + WAIT_S_MAX)

    [dial] = parts.dials()
    assert newer is outdone
    assert (dial.connection_id > other.connection_id) is (outdone or other.connection_id == (3, 8, 1))


def test_heartbeats_come_once_a_minute_and_sooner_after_one_that_was_not_acknowledged(parts: Parts) -> None:
    parts.connected()
    beats: list[tuple[float, int]] = []
    acknowledge = True
    for second in range(400):
        acknowledge = not 100 <= second < 160
        parts.presence.tick(float(second))
        for effect in parts.ctx.take():
            if isinstance(effect, Publish) and isinstance(effect.message, Heartbeat):
                beats.append((second, effect.message.beat_no))
                assert (effect.kind, effect.retain) == (Kind.HEARTBEAT, False)
                if acknowledge and effect.token is not None:
                    parts.presence.acked(effect.token)

    gaps = [b[0] - a[0] for a, b in itertools.pairwise(beats)]
    assert [number for _, number in beats] == list(range(1, len(beats) + 1))
    assert set(gaps) == {HEARTBEAT_S, HEARTBEAT_ACK_S + HEARTBEAT_RETRY_S}


def test_an_old_acknowledgement_is_not_the_newest_heartbeats(parts: Parts) -> None:
    parts.connected()
    parts.presence.tick(60.0)
    [first] = [e.token for e in parts.ctx.take() if isinstance(e, Publish)]
    parts.presence.acked(first or 0)
    parts.presence.tick(120.0)
    parts.ctx.take()

    parts.presence.acked(first or 0)
    parts.presence.tick(120.0 + HEARTBEAT_ACK_S)

    assert [e.text for e in parts.ctx.take() if isinstance(e, Note)] == ["heartbeat unacknowledged"]


def test_goodbye_is_offline_and_outside_every_channel(parts: Parts) -> None:
    parts.connected()
    parts.presence.channel("e-1", 1.0)
    parts.presence.tick(3.0)
    parts.ctx.take()

    parts.presence.goodbye()

    assert [(p.state, p.in_channel, p.presence_no) for p in parts.presences()] == [(PresenceState.OFFLINE, None, 3)]
    assert parts.presence.next_deadline() is None
