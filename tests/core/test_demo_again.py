"""A story is played anew where the machine stood still while it failed, and never else: on made-up stalls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.demo.again import PLAYS_MAX, until_judged
from lab.demo.checks import Check, check
from lab.demo.outcome import Outcome
from lab.demo.report import Report
from lab.demo.stalls import BEFORE_S, Stall, behind
from lab.demo.texts import Texts
from lab.demo.timeline import Timeline
from lab.demo.verdict import Verdict

BURST = (100.0, 104.0)
IN_BURST = Stall(core=1, start_s=102.0, end_s=102.43)
LONG_BEFORE = Stall(core=0, start_s=98.0, end_s=99.0)
LONG_AFTER = Stall(core=0, start_s=106.0, end_s=107.0)


def heard(ok: bool) -> Check:
    span = BURST
    return check("heard", ok, "150 ms were not heard", span, n=1, listener="car-2", speaker="car-1")


def unreadable() -> Check:
    return check("readable", False, "session: not JSON")


class Player:
    """Plays stories that were made up: each its checks and its stalls."""

    def __init__(self, out: Path, *plays: Callable[[tuple[str, ...]], Report]) -> None:
        self.out = out
        self.plays = list(plays)
        self.said: list[str] = []

    def play(self, before: tuple[str, ...]) -> Report:
        report = self.plays.pop(0)(before)
        (self.out / "logs").mkdir()
        (self.out / "logs" / "car-1.log").write_text("what it said")
        report.write(self.out / "report.json")
        return report

    def judged(self) -> Report:
        return until_judged(self.play, self.out, Texts("en"), self.said.append)


def story(
    *checks: Check, stalls: tuple[Stall, ...] = (), problem: str = "", broken: tuple[float, float] | None = None
) -> Callable[[tuple[str, ...]], Report]:
    def report(before: tuple[str, ...]) -> Report:
        timeline = Timeline(Texts("en"), lambda _: None)
        timeline.start_s = 90.0
        timeline.close()
        verdict = Verdict(checks=checks, hearings=(), search={})
        return Report(timeline, Outcome(), verdict, problem, {}, 1.0, broken=broken, stalls=stalls, before=before)

    return report


def test_what_was_not_heard_while_the_machine_stood_still_is_played_again_and_said_so(tmp_path: Path) -> None:
    player = Player(tmp_path, story(heard(False), stalls=(IN_BURST,)), story(heard(True)))

    report = player.judged()

    assert report.passed
    assert player.plays == []
    assert len(player.said) == 1
    assert "stood still for 430 ms during “burst 1: car-2 hears car-1 wholly and once”" in player.said[0]
    assert "played again" in player.said[0]
    assert json.loads((tmp_path / "report.json").read_text())["played_before"] == ["report-1.json"]
    first = json.loads((tmp_path / "report-1.json").read_text())
    assert first["failed"] == ["burst 1: car-2 hears car-1 wholly and once"]
    assert first["checks"][1]["stalls"] == [{"core": 1, "at_ms": 12000.0, "ms": 430.0}]
    assert (tmp_path / "logs-1" / "car-1.log").read_text() == "what it said"


@pytest.mark.parametrize("stalls", [(), (LONG_BEFORE,), (LONG_AFTER,), (LONG_BEFORE, LONG_AFTER)])
def test_what_was_not_heard_while_the_machine_ran_is_a_failure_at_once(
    tmp_path: Path, stalls: tuple[Stall, ...]
) -> None:
    player = Player(tmp_path, story(heard(False), stalls=stalls))

    report = player.judged()

    assert not report.passed
    assert player.said == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "report.json"]


def test_a_stall_excuses_nothing_that_no_stall_can_cause(tmp_path: Path) -> None:
    player = Player(tmp_path, story(heard(False), unreadable(), stalls=(IN_BURST,)))

    assert not player.judged().passed
    assert player.said == []


def test_a_story_that_passed_is_not_played_again_whatever_the_machine_did(tmp_path: Path) -> None:
    player = Player(tmp_path, story(heard(True), stalls=(IN_BURST,)))

    assert player.judged().passed
    assert player.said == []


def test_a_machine_that_never_runs_ends_in_a_failure(tmp_path: Path) -> None:
    bad = story(heard(False), stalls=(IN_BURST,))
    player = Player(tmp_path, *[bad] * (PLAYS_MAX + 1))

    report = player.judged()

    assert not report.passed
    assert len(player.plays) == 1
    assert report.before == tuple(f"report-{n}.json" for n in range(1, PLAYS_MAX))


@pytest.mark.parametrize(("ms", "again"), [(430, False), (700, True)])
def test_a_story_that_broke_off_is_played_again_only_after_a_stall_long_enough_to_break_it(
    tmp_path: Path, ms: int, again: bool
) -> None:
    stall = Stall(core=0, start_s=101.0, end_s=101.0 + ms / 1000)
    broke = story(stalls=(stall,), problem="burst 1 ended as lost, not as released", broken=BURST)
    player = Player(tmp_path, broke, story(heard(True)))

    assert player.judged().passed == again
    assert bool(player.said) == again


def test_a_process_that_ended_by_itself_is_no_matter_of_the_machine(tmp_path: Path) -> None:
    player = Player(tmp_path, story(stalls=(IN_BURST, LONG_BEFORE), problem="dispatch ended by itself"))

    assert not player.judged().passed
    assert player.said == []


def test_a_stall_shortly_before_a_burst_counts_for_it() -> None:
    end_s = BURST[0] - BEFORE_S
    near, far = (Stall(core=0, start_s=end - 0.5, end_s=end) for end in (end_s + 0.01, end_s - 0.01))

    assert behind(heard(False), (near, far)) == (near,)
