"""What presses say of cues: the bar is on the slowest of a hundred, each path beside the one it is compared with."""

from lab.bench.cue import BUSY, ECHO, IDLE, NO_LINK, Cue, figures
from lab.bench.figure import Figure


def row(path: str, first_ms: float, felt_ms: float | None = None, number: int = 0) -> Cue:
    return Cue(round=number, path=path, first_ms=first_ms, signal="led_red", told_ms=0.1, felt_ms=felt_ms)


def judged(slowest_busy_ms: float) -> dict[str, Figure]:
    rows = [row(ECHO, 0.05), row(NO_LINK, 0.8)]
    rows += [row(IDLE, 1.0, felt_ms=4.0, number=number) for number in (0, 1)]
    rows += [row(BUSY, 2.0, felt_ms=6.0, number=number) for number in (0, 1)] * 49
    rows += [row(BUSY, slowest_busy_ms), row(BUSY, slowest_busy_ms)]
    rows += [row(path, 1.0, number=1) for path in (ECHO, NO_LINK)]
    return {figure.name: figure for figure in figures(rows, "cue.csv")}


def test_a_cue_is_judged_by_its_slowest_of_a_hundred_against_thirty_milliseconds() -> None:
    assert judged(30.0)["cue_busy_p99"].holds
    assert not judged(30.1)["cue_busy_p99"].holds
    assert judged(30.1)["cue_busy_p50"].holds


def test_busy_stands_beside_idle_and_idle_beside_the_pins_alone() -> None:
    found = judged(3.0)
    busy, idle = found["cue_busy_p50"], found["cue_idle_p50"]
    assert (busy.value, busy.against_value, busy.ratio, busy.n) == (2.0, 1.0, 2.0, 100)
    assert (idle.value, idle.against_value) == (1.0, 1.0)
    assert [run["busy_p50_ms"] for run in busy.runs] == [2.0, 2.0]


def test_a_felt_denial_is_compared_with_a_felt_grant_of_the_presses_that_waited_for_the_motor() -> None:
    felt = judged(3.0)["cue_denied_felt_p50"]
    assert (felt.value, felt.against_value, felt.ratio, felt.n, felt.bar) == (6.0, 4.0, 1.5, 98, None)
