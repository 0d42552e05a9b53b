"""Whether a story is played anew: only where all that failed may be laid to a machine that stood still."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from lab.demo.report import Report
from lab.demo.stalls import longest
from lab.demo.texts import Texts

PLAYS_MAX = 3


def until_judged(
    play: Callable[[tuple[str, ...]], Report], out: Path, texts: Texts, say: Callable[[str], object]
) -> Report:
    """Play, and again where the machine was in the way, PLAYS_MAX times at most; give the report that counts.

    `play` gets the names of the reports kept so far, and leaves report.json and, where it failed, logs in `out`. Those
    of a story that does not count are kept as report-1.json and logs-1, and so on; `say` is told so.
    """
    kept: tuple[str, ...] = ()
    while True:
        report = play(kept)
        number = len(kept) + 1
        if report.passed or not report.excused or number == PLAYS_MAX:
            return report
        found = longest(report.checks, report.stalls)
        assert found is not None, "what is excused has a stall behind it"
        (out / "report.json").replace(out / f"report-{number}.json")
        if (out / "logs").exists():
            shutil.rmtree(out / f"logs-{number}", ignore_errors=True)
            (out / "logs").rename(out / f"logs-{number}")
        kept = (*kept, f"report-{number}.json")
        what = found[0].named(texts.lang)
        say(texts.line("again", ms=found[1].ms, check=what, number=number + 1, kept=out / kept[-1]))
