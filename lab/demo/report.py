"""The demo's report.json: every step with its time and measure, the machine, and the verdict on each check."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from lab.demo.checks import check
from lab.demo.outcome import Outcome
from lab.demo.timeline import Timeline
from lab.demo.verdict import Verdict

PACKAGES = ("paho-mqtt", "gpiozero", "opuslib-next", "msgspec", "SQLAlchemy", "numpy")


class Report:
    """Everything of one demo. `problem` is what kept the story from its end, empty where it ended."""

    def __init__(
        self,
        timeline: Timeline,
        outcome: Outcome,
        verdict: Verdict,
        problem: str,
        facts: dict[str, Any],
        lasted_s: float,
    ) -> None:
        self.timeline = timeline
        self.outcome = outcome
        self.verdict = verdict
        self.facts = facts
        self.lasted_s = lasted_s
        story = check("played", not problem, problem or "every step followed")
        self.checks = (story, *verdict.checks)

    @property
    def passed(self) -> bool:
        """Whether all was as it must be."""
        return all(check.ok for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Give it as builtins; all times are ms from the start of the story."""
        outcome, ms = self.outcome, self.timeline.ms
        kill_ms = ms(outcome.kill_s) if outcome.kill_s else None
        return {
            "verdict": "passed" if self.passed else "failed",
            "failed": [check.name for check in self.checks if not check.ok],
            "lasted_s": round(self.lasted_s, 2),
            "checks": msgspec.to_builtins(self.checks),
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
                    "deny": msgspec.to_builtins(refusal.deny),
                }
                for refusal in outcome.refusals
            ],
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
