"""`ptt-dispatch sessions` and a sweep on request: what is shown, what is removed, what is answered."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dispatch.cleaning import Cleaned, Swept, cleaned_in
from dispatch.cli import main
from dispatch.core.state import Floor, FloorState, Member, Queued
from dispatch.sessions_cli import session_dict, session_lines, swept_lines
from dispatch.store.reader import Snapshot
from protocol.messages import PresenceState, Priority
from tests.core.dispatch_bench import HQ, Bench
from tests.core.test_presence_members import blind

SEOUL = ZoneInfo("Asia/Seoul")
STARTED = 1_700_000_000_000
FLOOR = Floor(
    store="s",
    channel_name="c",
    state=FloorState.TAKEN,
    burst=7,
    holder="car-1",
    holder_name="김기사\x1b[31m",
    request_id=(1, 1, 1, 1),
    active=True,
    event_id="e",
    started_at=STARTED,
    queue=(Queued(user="car-3", request_id=(1, 1, 1, 1), priority=Priority.NORMAL),),
)
MEMBERS = (
    Member(user="car-1", state=PresenceState.ONLINE, in_channel="e", name="김기사"),
    Member(user="car-2", state=PresenceState.ONLINE, in_channel="older"),
    Member(user="car-3", state=PresenceState.LOST, in_channel="e"),
)
SNAPSHOT = Snapshot(office=HQ, floor=FLOOR, members=MEMBERS, unpublished=0)


def test_a_running_session_shows_speaker_elapsed_times_queue_and_who_is_in_the_channel() -> None:
    lines = list(session_lines(SNAPSHOT, STARTED + 60_000, STARTED + 65_000, "en", lambda _office: SEOUL))

    assert lines[0] == "seoul/hq  session e, for 00:01:05 (since 2023-11-15 07:13:20.000)"
    assert lines[1] == "  speaker: 김기사\N{REPLACEMENT CHARACTER}[31m (car-1), burst 7, normal, for 00:00:05"
    assert lines[2:4] == ["  waiting: car-3", "  in channel: 1 of 2 present"]
    assert [line.split()[0] for line in lines[4:]] == ["car-1"]


def test_a_running_session_in_json_has_the_same_and_a_clock_set_back_makes_no_negative_time() -> None:
    found = session_dict(SNAPSHOT, None, STARTED - 5_000)

    assert (found["office"], found["elapsed_s"], found["queue"]) == ("seoul/hq", 0.0, ["car-3"])
    assert (found["speaker"]["user"], found["speaker"]["elapsed_s"]) == ("car-1", None)
    assert [(m["user"], m["in_channel"]) for m in found["members"]] == [("car-1", True), ("car-2", False)]


def test_a_sweep_on_request_removes_what_the_next_sweep_would_and_says_so() -> None:
    # given a floor that nobody renews nor frees, and a dead member, both seen by one sweep
    bench = Bench()
    blind(bench)
    bench.plant(member=Member(user="ghost", state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1))
    bench.take("car-1", 1)
    bench.advance(121)
    early = cleaned_in(bench.server.sweep_now(bench.now, bench.wall_ms))
    # when it is asked for between two regular sweeps
    bench.advance(65)
    effects = bench.server.sweep_now(bench.now, bench.wall_ms)
    # then the floor is free, what is not dead for long enough stays, and asking again finds nothing
    assert early == ()
    assert cleaned_in(effects) == (Cleaned(office="seoul/hq", what="stale_floor", user="car-1", name="car-1"),)
    assert bench.floor.holder is None
    assert bench.member("ghost").present
    assert cleaned_in(bench.server.sweep_now(bench.now, bench.wall_ms)) == ()


def test_a_dead_member_is_told_once_although_it_leaves_the_channel_too() -> None:
    bench = Bench()
    blind(bench)
    ghost = Member(user="ghost", state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1, in_channel="e")
    bench.plant(member=ghost)
    bench.advance(303)

    effects = bench.server.sweep_now(bench.now, bench.wall_ms)

    assert [(c.what, c.user) for c in cleaned_in(effects)] == [("stale_participant", "ghost")]


def test_a_sweep_while_the_store_is_away_says_why_and_changes_nothing() -> None:
    bench = Bench()
    bench.store.away = True

    effects = bench.server.sweep_now(bench.now, bench.wall_ms)

    assert cleaned_in(effects) == ()
    assert bench.server.store_error == "away -> wait"


def test_an_answer_names_what_was_removed_for_people_in_both_languages() -> None:
    swept = Swept(
        replica="1",
        offices=1,
        not_served=("seoul/b",),
        cleaned=(Cleaned(office="seoul/hq", what="stale_floor", user="car-1", name="1\x07호"),),
    )

    english, korean = ("\n".join(swept_lines(swept, lang)) for lang in ("en", "ko"))

    assert "1 office(s) swept, 1 removed:" in english
    assert "a floor that nobody renewed: 1\N{REPLACEMENT CHARACTER}호 (car-1)" in english
    assert "not served, not swept: seoul/b" in english
    assert "갱신되지 않은 발언권" in korean
    assert list(swept_lines(Swept(replica="1", refused="no broker"), "en")) == ["service 1: NOT SWEPT: no broker"]


def test_clean_without_a_service_fails_and_says_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "dispatch.toml"
    config.write_text(f'[store]\npath = "{tmp_path}/office.db"\n[[office]]\nregion = "seoul"\noffice = "hq"\n')

    assert main(["clean", "--now", "--config", str(config), "--lang", "en"]) == 1
    assert "systemctl status ptt-dispatch" in capsys.readouterr().err
    assert main(["clean", "--now", "--config", str(config), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"done": False, "services": [], "stuck": []}
