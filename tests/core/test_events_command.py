"""`ptt-dispatch events`: what is chosen of the log, in the office's own time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatch.cli import main
from dispatch.core.state import Floor
from dispatch.ports import OfficeTx
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

HQ = OfficeId("seoul", "hq")
MIDNIGHT_MS = 1_795_273_200_000
"""2026-11-22 begins in Seoul; in Greenwich it is 15:00 of the day before."""
MIN = 60_000
CONFIG = """
[store]
path = "{store}"
[[office]]
region = "seoul"
office = "hq"
"""
Shown = Callable[..., list[int]]


def fill(tx: OfficeTx) -> None:
    """Sixty events from half an hour before midnight to half an hour after: three users, two sessions, six types."""
    tx.put_floor(Floor(store=tx.store_id, channel_name="c", event_no=60))
    for no in range(1, 61):
        tx.append_event(
            Event(
                no=no,
                at=MIDNIGHT_MS + (no - 31) * MIN,
                event=list(EventType)[no % 6],
                event_id=f"session-{no % 2}",
                user=f"car-{no % 3}",
            )
        )


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shown:
    store = SqlStore(f"sqlite:///{tmp_path}/office.db")
    store.transact(HQ, fill, durable=True)
    store.close()
    config = tmp_path / "dispatch.toml"
    config.write_text(CONFIG.format(store=tmp_path / "office.db"))

    def run(*options: str) -> list[int]:
        assert main(["events", "--config", str(config), "--jsonl", *options]) == 0
        return [json.loads(line)["no"] for line in capsys.readouterr().out.splitlines()]

    return run


def test_without_a_choice_the_newest_fifty_are_shown(shown: Shown) -> None:
    assert shown() == list(range(11, 61))


def test_a_day_is_the_offices_own_and_shown_whole(shown: Shown) -> None:
    assert shown("--day", "2026-11-22") == list(range(31, 61))
    assert shown("--day", "2026-11-21") == list(range(1, 31))
    assert shown("--day", "2026-11-23") == []


def test_times_are_the_offices_own(shown: Shown) -> None:
    assert shown("--from", "2026-11-22T00:10", "--to", "2026-11-22T00:12") == [41, 42]
    assert shown("--to", "2026-11-21T23:31") == [1]


def test_choices_hold_together(shown: Shown) -> None:
    found = shown("--user", "car-1", "--session", "session-1", "--day", "2026-11-22")

    assert found == [no for no in range(31, 61) if no % 3 == 1 and no % 2 == 1]
    assert shown("--type", "session_started", "--limit", "2") == [54, 60]
    assert shown("--since", "0", "--user", "car-0", "--limit", "3") == [3, 6, 9]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--day", "2026-11-22", "--from", "2026-11-22"), "leave out --from and --to"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), "--to is not later than --from"),
        (("--from", "yesterday"), "'yesterday' is no time"),
        (("--follow", "--day", "2026-11-21"), "--follow goes on with what is new"),
    ],
)
def test_what_contradicts_itself_is_refused(
    shown: Shown, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], why: str
) -> None:
    assert main(["events", "--config", str(tmp_path / "dispatch.toml"), *options]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("command", ["events", "sessions", "minutes"])
def test_an_office_there_is_not_is_no_office_where_nothing_happened(
    shown: Shown, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    config = str(tmp_path / "dispatch.toml")
    assert main([command, "--config", config, "--office", "seoul/hq", "--lang", "en"]) == 0
    capsys.readouterr()

    assert main([command, "--config", config, "--office", "seoul/hqq", "--lang", "en"]) == 2

    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "ptt-dispatch: the store has no office seoul/hqq -> ptt-dispatch status lists them\n",
    )


def test_lines_for_people_are_in_the_offices_time(
    shown: Shown, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["events", "--config", str(tmp_path / "dispatch.toml"), "--from", "2026-11-22T00:29"])

    assert "60  2026-11-22 00:29:00.000" in capsys.readouterr().out


def test_a_time_zone_that_is_none_is_a_fault_of_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "dispatch.toml"
    config.write_text('time_zone = "Mars/Olympus"\n' + CONFIG.format(store=tmp_path / "office.db"))

    assert main(["check-config", "--config", str(config)]) == 2
    assert "'Mars/Olympus', which is no time zone" in capsys.readouterr().err
