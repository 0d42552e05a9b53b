"""The Agora bridge as a user of the office: its tokens, presence, heartbeats and alerts."""

import pytest
from msgspec.structs import replace

from dispatch.bridge.core.member import CORRECT_S
from dispatch.bridge.core.words import (
    Acked,
    Dial,
    FetchToken,
    FromWorker,
    GotPresence,
    HangUp,
    KillWorker,
    LinkDown,
    LinkUp,
    Note,
    Publish,
    Shutdown,
    TokenCame,
    TokenFailed,
    WorkerGone,
)
from protocol.ids import JSON_INT_MAX
from protocol.messages import (
    AppType,
    PresenceState,
)
from protocol.timers import HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S
from protocol.topics import Kind
from protocol.worker import (
    Agora,
    AgoraState,
    Hello,
    Pong,
    Quit,
    Token,
    TokenWanted,
)
from tests.core.bridge_core_rig import CHANNEL, Bench, bridge, by_phone, grant, idle, over, ready


@pytest.fixture
def bench() -> Bench:
    """A bridge with worker, connection and token, in an office where nobody speaks."""
    bench = ready()
    bench.session(idle(1, burst=4))
    bench.look()
    return bench


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_the_first_token_is_fetched_at_the_start_and_renewed_well_before_it_runs_out() -> None:
    bench = Bench()
    asked_at_start = len(bench.all(FetchToken))
    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")), TokenCame(grant=grant(expires_in_s=1000)))
    bench.look()

    bench.pass_time(590.0)
    before = bench.all(FetchToken)
    bench.pass_time(210.0)

    assert asked_at_start == 1
    assert before == []
    assert len(bench.all(FetchToken)) == 1


def test_the_token_is_given_to_the_worker_with_what_is_left_of_its_life(bench: Bench) -> None:
    bench.pass_time(100.0)
    bench.give(WorkerGone(reason="x"))
    bench.pass_time(1.0)
    bench.look()

    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")))

    [token] = bench.commands(Token)
    assert token.expires_in_s == pytest.approx(3600 - 101)


def test_a_token_that_ran_out_is_not_given_to_the_worker() -> None:
    bench = Bench()
    bench.give(TokenCame(grant=grant(expires_in_s=60)))
    bench.give(TokenFailed(reason="down"))
    bench.now += 61.0
    bench.look()

    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")))

    assert bench.commands(Token) == []


def test_a_refused_request_is_repeated_ever_more_seldom_and_told_as_an_alert_that_clears(bench: Bench) -> None:
    bench.give(TokenFailed(reason="refused (revoked)"))
    raised = bench.alerts()
    waits = []
    for _ in range(12):
        due, bench.done = bench.now, []
        while not bench.all(FetchToken):
            bench.pass_time(0.5)
        waits.append(bench.now - due)
        bench.give(TokenFailed(reason="refused (revoked)"))
    bench.look()
    bench.give(TokenCame(grant=grant()))

    assert "refused (revoked)" in str(raised["agora-token"])
    assert waits[0] <= 1.0
    assert waits == sorted(waits)
    assert 30.0 <= waits[-1] <= 60.5
    assert bench.alerts() == {"agora-token": None}


def test_the_services_own_wish_to_wait_is_followed(bench: Bench) -> None:
    bench.give(TokenFailed(reason="too many", retry_after_s=30.0))
    bench.look()

    bench.pass_time(29.0)
    before = bench.all(FetchToken)
    bench.pass_time(1.5)

    assert before == []
    assert len(bench.all(FetchToken)) == 1


def test_the_workers_wish_for_a_token_is_followed_and_cannot_drive_a_storm(bench: Bench) -> None:
    fetched = 0
    for _ in range(500):
        bench.give(FromWorker(event=TokenWanted(channel=CHANNEL, why="refused")))
        bench.pass_time(0.01)
        for _ in bench.all(FetchToken):
            fetched += 1
            bench.look()
            bench.give(TokenCame(grant=grant()))

    assert 4 <= fetched <= 6


def test_a_token_that_cannot_publish_is_told_as_an_alert(bench: Bench) -> None:
    bench.give(TokenCame(grant=grant(publisher=False)))

    assert "role bridge" in str(bench.alerts()["agora-token"])


# --- a user of the office ---------------------------------------------------------------------------------------------


def test_it_is_present_as_a_bridge_and_never_in_a_channel(bench: Bench) -> None:
    fresh = Bench()
    [dial] = fresh.all(Dial)
    fresh.give(FromWorker(event=Hello(pid=9, transport="mqtt")), LinkUp(), TokenCame(grant=grant()))
    fresh.session(by_phone(2, 5))
    fresh.pass_time(2.0)

    [said] = fresh.presences()
    assert (said.state, said.app_type, said.in_channel) == (PresenceState.ONLINE, AppType.BRIDGE, None)
    assert (dial.will.state, dial.will.presence_no) == (PresenceState.LOST, JSON_INT_MAX)
    assert dial.will.connection_id == said.connection_id == (0, 50, 1)


def test_it_never_asks_for_the_floor(bench: Bench) -> None:
    for rev in range(2, 40, 2):
        bench.session(by_phone(rev, rev))
        bench.session(over(rev + 1, rev))
        bench.pass_time(1.0)

    assert {effect.kind for effect in bench.all(Publish)} <= {Kind.PRESENCE, Kind.HEARTBEAT, Kind.ALERT}


def test_it_beats_and_repeats_a_beat_that_was_not_acknowledged(bench: Bench) -> None:
    bench.pass_time(0.75 * HEARTBEAT_S)
    first = bench.beats()
    bench.look()
    bench.pass_time(HEARTBEAT_ACK_S + HEARTBEAT_RETRY_S)
    repeated = bench.beats()
    bench.look()
    bench.give(Acked(token=repeated[0].token or 0))
    bench.pass_time(HEARTBEAT_S - 0.1)

    assert len(first) == len(repeated) == 1
    assert bench.beats() == []


def test_a_dead_presence_of_an_earlier_run_is_replaced(bench: Bench) -> None:
    lost = replace(bridge(PresenceState.LOST), connection_id=(0, 40, 3), presence_no=JSON_INT_MAX)

    bench.give(GotPresence(user="bridge-1", presence=lost))
    bench.pass_time(CORRECT_S)

    assert [p.state for p in bench.presences()] == [PresenceState.ONLINE]


def test_its_own_presence_coming_back_is_left_alone(bench: Bench) -> None:
    fresh = Bench()
    fresh.give(LinkUp())
    [said] = fresh.presences()
    fresh.look()

    fresh.give(GotPresence(user="bridge-1", presence=said))
    fresh.pass_time(5.0)

    assert fresh.presences() == []


def test_somebody_who_keeps_contradicting_its_presence_is_answered_ever_more_seldom(bench: Bench) -> None:
    refused = replace(bridge(PresenceState.OFFLINE), connection_id=(0, 50, 1))
    for _ in range(600):
        bench.give(GotPresence(user="bridge-1", presence=refused))
        bench.pass_time(1.0)

    assert 6 <= len(bench.presences()) <= 16


def test_a_presence_of_another_enrolment_is_told_and_not_fought(bench: Bench) -> None:
    other = replace(bridge(), connection_id=(3, 1, 1))

    for _ in range(10):
        bench.give(GotPresence(user="bridge-1", presence=other))
        bench.pass_time(1.0)

    assert bench.all(HangUp) == []
    assert bench.presences() == []
    assert len([note for note in bench.all(Note) if "another enrolment" in note.text]) == 1


def test_a_clock_that_was_set_back_is_outdone_by_a_connection_above_the_known_one(bench: Bench) -> None:
    newer = replace(bridge(PresenceState.LOST), connection_id=(0, 5000, 2), presence_no=JSON_INT_MAX)

    bench.give(GotPresence(user="bridge-1", presence=newer))
    hung_up = bench.all(HangUp)
    bench.give(LinkDown(reason="dialling anew"))
    bench.pass_time(5.0)

    assert len(hung_up) == 1
    [dial] = bench.all(Dial)
    assert dial.will.connection_id > newer.connection_id


def test_alerts_of_an_earlier_run_are_cleared_at_the_first_connection() -> None:
    bench = Bench()

    bench.give(LinkUp())

    assert bench.alerts() == {"agora": None, "agora-token": None, "voice-worker": None}


@pytest.mark.parametrize("state", [AgoraState.LOST, AgoraState.REFUSED, AgoraState.UNUSABLE])
def test_trouble_with_agora_is_an_alert_that_clears(bench: Bench, state: AgoraState) -> None:
    bench.give(FromWorker(event=Agora(state=state, detail="why it is so")))
    raised = bench.alerts()
    status = bench.core.status
    bench.look()

    bench.give(FromWorker(event=Agora(state=AgoraState.JOINED, join_ms=300)))

    assert "why it is so" in str(raised["agora"])
    assert "why it is so" in status
    assert bench.alerts() == {"agora": None}


def test_a_worker_that_answers_no_ping_is_killed(bench: Bench) -> None:
    bench.give(FromWorker(event=Pong(no=1, link=True, capture=True, playback=True)))
    bench.look()

    bench.pass_time(4.5)

    assert len(bench.all(KillWorker)) == 1


def test_an_orderly_end_silences_both_sides_and_says_goodbye(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(Shutdown())

    assert bench.voice() == ["Mute"]
    assert bench.every()[-1] == Quit()
    assert [p.state for p in bench.presences()] == [PresenceState.OFFLINE]
    assert bench.core.next_deadline() is None
