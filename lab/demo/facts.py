"""The checks on the story itself: who was granted, refused and told what, and how soon."""

from __future__ import annotations

from lab.demo.checks import Check, check
from lab.demo.outcome import Burst, Outcome
from protocol.messages import DenyCause

GRANTED_MS_MAX = 300.0
JOIN_MS_MAX = 3000.0
KILL_IDLE_MS_MAX = 5000.0
MOTOR_OFF_MS_MAX = 40.0
WHOLE_SESSION = {"SESSION_STARTED": 1, "USER_JOINED": 3, "SPEAKER_CHANGED": 2, "SESSION_ENDED": 1, "USER_LEFT": 3}
OPEN_SESSION = {"SESSION_STARTED": 1, "USER_JOINED": 3, "SPEAKER_CHANGED": 2, "USER_LEFT": 1}
SESSIONS = (WHOLE_SESSION, OPEN_SESSION)
"""Least numbers of events: of the session that ended, and of the one in which a speaker was killed."""


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
            )
        )
    if any(burst.handover_s for burst in outcome.bursts):
        checks += [agora_alone(burst) for burst in outcome.bursts]
    for refusal in outcome.refusals:
        deny, ms = refusal.deny, (refusal.told_s - refusal.edge_s) * 1000
        right = (
            deny.cause is DenyCause.ANOTHER_HAS_PERMISSION
            and deny.speaker == outcome.bursts[0].speaker
            and bool(deny.speaker_name)
            and deny.remaining_s is not None
            and 0 < deny.remaining_s <= 30
        )
        checks.append(
            check(
                "refused",
                user=refusal.user,
                ok=right and ms <= GRANTED_MS_MAX,
                detail=f"{deny.cause.value}, {deny.speaker_name}, at most {deny.remaining_s or 0:.1f} s; "
                f"driver told after {ms:.1f} ms",
            )
        )
    for number, (event_id, joins) in enumerate(outcome.joins.items(), 1):
        times = ", ".join(f"{user} {ms:.0f} ms" for user, ms in joins.items())
        checks.append(
            check(
                "joined",
                number=number,
                ok=max(joins.values()) <= JOIN_MS_MAX,
                detail=f"{times} after the grant ({event_id})",
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
            ok=len(outcome.left) == 3,
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
            detail=f"{outcome.kill_idle_ms:.0f} ms from SIGKILL to the idle floor; presence: {outcome.dead_presence}",
        )
    )
    return checks


def agora_alone(burst: Burst) -> Check:
    """Nothing passed the broker's voice topics once they were denied: what was heard then came over Agora."""
    return check(
        "agora_alone",
        n=burst.n,
        ok=burst.carried == burst.denied_after,
        detail=f"{burst.carried} frames over MQTT, {burst.denied_after} of them before the denial",
    )


def told(outcome: Outcome) -> list[Check]:
    """What monitors and drivers were told beside."""
    checks = [
        check(
            "readable",
            ok=not outcome.unreadable,
            detail="; ".join(outcome.unreadable[:3]) or f"{outcome.messages} messages",
        )
    ]
    for refusal in outcome.refusals:
        pattern = refusal.motor_ms[:2]
        checks.append(
            check(
                "felt",
                user=refusal.user,
                ok=len(pattern) == 2 and all(abs(ms - 80) <= MOTOR_OFF_MS_MAX for ms in pattern),
                detail=f"motor on for {' and '.join(f'{ms:.0f}' for ms in pattern)} ms (80 and 80 are meant)",
            )
        )
    for number, (event_id, wanted) in enumerate(zip(outcome.joins, SESSIONS, strict=False), 1):
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
