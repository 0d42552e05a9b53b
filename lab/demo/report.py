"""The demo's report.json: every step with its time and measure, the machine, and the verdict on each check."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from lab.demo.checks import Check, check
from lab.demo.outcome import Outcome
from lab.demo.stalls import Stall, behind, excused
from lab.demo.timeline import Timeline
from lab.demo.verdict import Verdict

PACKAGES = ("paho-mqtt", "gpiozero", "opuslib-next", "msgspec", "SQLAlchemy", "numpy")

BREAKS_S = 0.5
"""Nothing gives a press or a burst up sooner (protocol.timers.TRANSMIT_LEASE_S): a shorter stall breaks no story."""


class Report:
    """Everything of one story. `problem` is what kept it from its end, empty where it ended.

    `broken`: in which time that was, where a machine that stood still may be why. `before`: the files of the stories
    that were played before this one, because of such a machine.
    """

    def __init__(
        self,
        timeline: Timeline,
        outcome: Outcome,
        verdict: Verdict,
        problem: str,
        facts: dict[str, Any],
        lasted_s: float,
        *,
        broken: tuple[float, float] | None = None,
        stalls: tuple[Stall, ...] = (),
        before: tuple[str, ...] = (),
    ) -> None:
        self.timeline = timeline
        self.outcome = outcome
        self.verdict = verdict
        self.facts = facts
        self.lasted_s = lasted_s
        self.stalls = stalls
        self.before = before
        story = check("played", not problem, problem or "every step followed", broken, BREAKS_S)
        self.checks = (story, *verdict.checks)

    @property
    def passed(self) -> bool:
        """Whether all was as it must be."""
        return all(check.ok for check in self.checks)

    @property
    def excused(self) -> bool:
        """Whether all that was not so may be laid to a machine that stood still: another story will tell."""
        return excused(self.checks, self.stalls)

    def stood(self, check: Check) -> str:
        """Say when the machine stood still while what a failed check judges happened; empty where it did not."""
        return ", ".join(
            f"{stall.ms:.0f} ms from {self.timeline.ms(stall.start_s):.0f} ms on (core {stall.core})"
            for stall in behind(check, self.stalls)
        )

    def document(self) -> dict[str, Any]:
        """Give it as builtins; all times are ms from the start of the story."""
        outcome, ms = self.outcome, self.timeline.ms
        kill_ms = ms(outcome.kill_s) if outcome.kill_s else None
        return {
            "verdict": "passed" if self.passed else "failed",
            "failed": [check.name for check in self.checks if not check.ok],
            "lasted_s": round(self.lasted_s, 2),
            "played_before": self.before,
            "checks": [self._check(check) for check in self.checks],
            "stalls": [self._stall(stall) for stall in self.stalls],
            "steps": msgspec.to_builtins(self.timeline.steps),
            "bursts": [self._burst(number) for number in range(len(outcome.bursts))],
            "refusals": [
                {
                    "user": refusal.user,
                    "said": refusal.text,
                    "edge_ms": ms(refusal.edge_s),
                    "up_ms": ms(refusal.end_s),
                    "told_after_ms": (refusal.told_s - refusal.edge_s) * 1000,
                    "motor_ms": refusal.motor_ms,
                    "page": refusal.page,
                    "deny": msgspec.to_builtins(refusal.deny),
                }
                for refusal in outcome.refusals
            ],
            "members": outcome.members,
            "page_heard": outcome.page_heard,
            "joins_ms": outcome.joins,
            "answer_joins": outcome.answer_joins,
            "session_over_ms": ms(outcome.session_over_s) if outcome.session_over_s else None,
            "left_ms": {user: ms(at_s) for user, at_s in outcome.left.items()},
            "kill": {"at_ms": kill_ms, "to_idle_ms": outcome.kill_idle_ms, "presence": outcome.dead_presence},
            "events": outcome.events,
            "messages": outcome.messages,
            "search_for_refused_speech": self.verdict.search,
            "machine": self.facts,
        }

    def _check(self, check: Check) -> dict[str, Any]:
        words = {"key": check.key, "name": check.name, "name_ko": check.name_ko, "ok": check.ok, "detail": check.detail}
        return words if check.ok else words | {"stalls": [self._stall(stall) for stall in behind(check, self.stalls)]}

    def _stall(self, stall: Stall) -> dict[str, Any]:
        return {"core": stall.core, "at_ms": self.timeline.ms(stall.start_s), "ms": stall.ms}

    def _burst(self, index: int) -> dict[str, Any]:
        burst, ms = self.outcome.bursts[index], self.timeline.ms
        heard = {}
        for hearing in self.verdict.hearings:
            if hearing.n == burst.n:
                heard[hearing.listener] = {
                    "granted_to_heard_ms": hearing.granted_to_heard_ms,
                    "file": f"heard-{hearing.listener}-{burst.n}.wav",
                } | msgspec.to_builtins(hearing.alignment)
        return {
            "n": burst.n,
            "burst": burst.number,
            "session": burst.event_id,
            "speaker": burst.speaker,
            "said": burst.text,
            "file": f"said-{burst.speaker}-{burst.n}.wav",
            "edge_ms": ms(burst.edge_s),
            "granted_ms": ms(burst.handled_s),
            "end_ms": ms(burst.end_s),
            "idle_ms": ms(burst.idle_s),
            "press_to_granted_ms": (burst.handled_s - burst.edge_s) * 1000,
            "press_to_told_ms": (burst.told_s - burst.edge_s) * 1000,
            "killed": burst.killed,
            "ended": burst.ended,
            "last_seq": burst.last_seq,
            "heard": heard,
        }

    def write(self, path: Path) -> None:
        """Write it."""
        text = json.dumps(_rounded(self.document()), ensure_ascii=False, indent=2)
        path.write_text(text + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Facts of this machine that its times depend on."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _rounded(value: Any) -> Any:
    """Round numbers to what was measured; NaN becomes null."""
    match value:
        case float():
            return None if value != value else round(value, 3)
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
    return value
