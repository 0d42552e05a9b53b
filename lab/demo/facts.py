"""The checks on the story itself: who was granted, refused and told what, and how soon."""

from __future__ import annotations

import re

from hw.patterns import DENIED
from lab.demo.checks import Check, check
from lab.demo.outcome import Burst, Outcome
from lab.demo.script import DESK
from protocol.messages import DenyCause

GRANTED_MS_MAX = 300.0
JOIN_MS_MAX = 3000.0
KILL_IDLE_MS_MAX = 5000.0
MOTOR_OFF_MS_MAX = 40.0
DENIED_MS = tuple(ms for ms, level in DENIED.steps if level > 0)
WHOLE_SESSION = {
    "SESSION_STARTED": 1,
    "USER_JOINED": 3,
    "SPEAKER_CHANGED": 2,
    "BURST_HEARD": 2,
    "SESSION_ENDED": 1,
    "USER_LEFT": 3,
}
OPEN_SESSION = {"SESSION_STARTED": 1, "USER_JOINED": 3, "SPEAKER_CHANGED": 2, "USER_LEFT": 1}
"""Least numbers of events with three vehicles: of the session that ended, and of the one that saw a speaker killed."""


def sessions(outcome: Outcome) -> tuple[dict[str, int], ...]:
    """Least numbers of events of both, with whoever took part. Pure."""
    members = {"USER_JOINED": len(outcome.members)}
    bursts = {"SPEAKER_CHANGED": len(outcome.bursts) - 2}
    return WHOLE_SESSION | members | {"USER_LEFT": len(outcome.members)}, OPEN_SESSION | members | bursts


def times(outcome: Outcome) -> list[Check]:
    """Grants, the refusal, joins, the answer, the end, the kill."""
    checks = []
    for burst in outcome.bursts:
        ms = (burst.handled_s - burst.edge_s) * 1000
        checks.append(
            check(
                "granted",
                n=burst.n,
                speaker=burst.speaker,
                ok=0 < ms <= GRANTED_MS_MAX,
                detail=f"{ms:.1f} ms from the edge to Floor Granted handled",
                span=(burst.edge_s, burst.handled_s) if ms > GRANTED_MS_MAX else None,
            )
        )
    if any(burst.handover_s for burst in outcome.bursts):
        checks += [agora_alone(burst) for burst in outcome.bursts]
    for refusal in outcome.refusals:
        deny, ms = refusal.deny, (refusal.told_s - refusal.edge_s) * 1000
        right = (
            deny.cause is DenyCause.ANOTHER_HAS_PERMISSION
            and deny.speaker == refusal.speaker
            and bool(deny.speaker_name)
            and deny.remaining_s is not None
            and 0 < deny.remaining_s <= 30
        )
        checks.append(
            check(
                "refused",
                user=refusal.user,
                ok=right and ms <= GRANTED_MS_MAX,
                span=(refusal.edge_s, refusal.told_s) if right else None,
                detail=f"{deny.cause.value}, {deny.speaker_name}, at most {deny.remaining_s or 0:.1f} s; "
                f"driver told after {ms:.1f} ms",
            )
        )
    for number, (event_id, joins) in enumerate(outcome.joins.items(), 1):
        granted_s = min(burst.handled_s for burst in outcome.bursts if burst.event_id == event_id)
        times = ", ".join(f"{user} {ms:.0f} ms" for user, ms in joins.items())
        checks.append(
            check(
                "joined",
                number=number,
                ok=max(joins.values()) <= JOIN_MS_MAX,
                detail=f"{times} after the grant ({event_id})",
                span=(granted_s, granted_s + max(joins.values()) / 1000),
            )
        )
    checks.append(
        check(
            "answered",
            ok=outcome.answer_joins == 0,
            detail=f"{outcome.answer_joins} members joined or left during it",
        )
    )
    checks.append(
        check(
            "left",
            ok=sorted(outcome.left) == sorted(outcome.members),
            detail=", ".join(
                f"{user} {(at_s - outcome.session_over_s) * 1000:.0f} ms" for user, at_s in outcome.left.items()
            )
            + " after its end",
        )
    )
    checks.append(
        check(
            "freed",
            ok=0 < outcome.kill_idle_ms <= KILL_IDLE_MS_MAX and outcome.dead_presence == "lost",
            span=(outcome.kill_s, outcome.kill_s + outcome.kill_idle_ms / 1000)
            if outcome.dead_presence == "lost" and outcome.kill_idle_ms > KILL_IDLE_MS_MAX
            else None,
            detail=f"{outcome.kill_idle_ms:.0f} ms from SIGKILL to the idle floor; presence: {outcome.dead_presence}",
        )
    )
    return checks + followed(outcome)


def followed(outcome: Outcome) -> list[Check]:
    """Each step that came too late; where none did, one check with the slowest of them."""
    late = [step for step in outcome.follows if step.took_s > step.within_s]
    if not late:
        slowest = max(outcome.follows, key=lambda step: step.took_s / step.within_s, default=None)
        detail = "nothing was awaited"
        if slowest is not None:
            detail = f"slowest for its bound: {slowest.what}, {slowest.took_s:.2f} of {slowest.within_s:.1f} s"
        return [check("all_followed", True, detail)]
    return [
        check(
            "followed",
            what=step.what,
            within_s=step.within_s,
            ok=False,
            detail=f"after {step.took_s:.2f} s",
            span=(step.since_s, step.since_s + step.took_s),
        )
        for step in late
    ]


def agora_alone(burst: Burst) -> Check:
    """Nothing passed the broker's voice topics once they were denied: what was heard then came over Agora."""
    return check(
        "agora_alone",
        n=burst.n,
        ok=burst.carried == burst.denied_after,
        detail=f"{burst.carried} frames over MQTT, {burst.denied_after} of them before the denial",
    )


def page(outcome: Outcome) -> list[Check]:
    """What the console's page told."""
    refusals = [refusal for refusal in outcome.refusals if refusal.user == DESK]
    checks = [
        check("page_told", (refusal.deny.speaker_name or "?") in refusal.page, f"“{refusal.page}”")
        for refusal in refusals
    ]
    listeners = [str(len(burst.listeners)) for burst in outcome.bursts if burst.speaker == DESK]
    told = re.findall(r"\d+", outcome.page_heard)
    return [*checks, check("page_heard", listeners != [] and told == listeners * 2, f"“{outcome.page_heard}”")]


def told(outcome: Outcome) -> list[Check]:
    """What monitors and drivers were told beside."""
    checks = [
        check(
            "readable",
            ok=not outcome.unreadable,
            detail="; ".join(outcome.unreadable[:3]) or f"{outcome.messages} messages",
        )
    ]
    if DESK in outcome.members:
        checks += page(outcome)
    for refusal in outcome.refusals:
        if refusal.page:
            continue
        pattern = refusal.motor_ms[: len(DENIED_MS)]
        apart_ms = [abs(ms - meant) for ms, meant in zip(pattern, DENIED_MS, strict=False)]
        checks.append(
            check(
                "felt",
                user=refusal.user,
                ok=len(pattern) == len(DENIED_MS) and max(apart_ms) <= MOTOR_OFF_MS_MAX,
                span=(refusal.edge_s, refusal.end_s) if len(pattern) == len(DENIED_MS) else None,
                stall_s=max(apart_ms, default=0.0) / 1000,
                detail=f"motor on for {' and '.join(f'{ms:.0f}' for ms in pattern)} ms "
                f"({' and '.join(str(ms) for ms in DENIED_MS)} are meant)",
            )
        )
    for number, (event_id, wanted) in enumerate(zip(outcome.joins, sessions(outcome), strict=False), 1):
        seen = outcome.events.get(event_id, [])
        missing = sorted(name for name in wanted if seen.count(name) < wanted[name])
        counted = ", ".join(f"{seen.count(name)} {name}" for name in sorted(set(seen)))
        checks.append(
            check(
                "events",
                number=number,
                ok=not missing,
                detail=f"missing: {', '.join(missing)}; seen: {counted}" if missing else counted,
            )
        )
    return checks
