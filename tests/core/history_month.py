"""A month of an office, made up from a seed as its server would log it: the events, and what is true of them."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

from dispatch.history.day import Span, period, zone
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

HQ = OfficeId("seoul", "hq")
SEOUL = zone("Asia/Seoul")
MONTH = period(Span.MONTH, date(2026, 11, 1), SEOUL)
CARS = tuple(f"car-{n}" for n in range(1, 9))
CAUSES = ("another_has_permission", "receive_only", "queue_full")
ENDED = ("released", "released", "released", "limit", "lost", "preempted", "superseded")


class Log:
    """Numbers events as a server does."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.burst = 0

    def add(self, kind: EventType, at: int, user: str | None = None, session: str | None = None, **meta: Any) -> None:
        name = None if user is None else f"<b>{user}</b> & 기사"
        self.events.append(
            Event(no=len(self.events) + 1, event=kind, at=at, event_id=session, user=user, name=name, metadata=meta)
        )

    def talk(
        self, session: str, user: str, at: int, length_ms: int, ended: str = "released", late_ms: int = 300
    ) -> int:
        """A burst from `at` on; gives when it ended."""
        self.burst += 1
        self.add(EventType.SPEAKER_CHANGED, at, user, session, burst=self.burst, priority="normal")
        end = at + length_ms
        self.add(
            EventType.BURST_ENDED, end, user, session,
            burst=self.burst, ended=ended, last_seq=length_ms // 20, unrenewed_ms=late_ms,
        )  # fmt: skip
        return end

    def session(self, session: str, at: int, users: tuple[str, ...], length_ms: int = 4000) -> int:
        """A whole sound session of one burst that all hear; gives when the last one has left."""
        self.add(EventType.SESSION_STARTED, at, users[0], session, channel_name="c")
        for place, user in enumerate(users):
            self.add(EventType.USER_JOINED, at + 100 + place, user, session, voice="agora")
        end = self.talk(session, users[0], at + 200, length_ms)
        heard = len(users) - 1
        self.add(
            EventType.BURST_HEARD, end + 400, users[0], session,
            burst=self.burst, heard_by=heard, heard_of=heard, missing=[],
        )  # fmt: skip
        self.add(EventType.SESSION_ENDED, end + 5000, None, session, reason="hang time over")
        for place, user in enumerate(users):
            self.add(EventType.USER_LEFT, end + 5100 + place, user, session, reason="left")
        return end + 6000


def month(seed: int, sessions: int = 900) -> list[Event]:
    """Sessions from the month's eve to the day after it, some over midnight, with all that may happen in between."""
    rng, log = Random(seed), Log()
    at = MONTH.since - 6 * 3_600_000
    step = (MONTH.until - MONTH.since + 12 * 3_600_000) // sessions
    for number in range(sessions):
        at += rng.randrange(1, 2 * step)
        at = _random_session(rng, log, f"session-{number}", at)
    return log.events


def _random_session(rng: Random, log: Log, session: str, at: int) -> int:
    joined = rng.sample(CARS, rng.randrange(1, len(CARS)))
    log.add(EventType.SESSION_STARTED, at, joined[0], session, channel_name="c")
    for user in joined:
        at += rng.randrange(0, 900)
        log.add(EventType.USER_JOINED, at, user, session, voice="agora")
    for _ in range(rng.randrange(1, 6)):
        at += rng.randrange(100, 4000)
        user = rng.choice(joined)
        ended = rng.choice(ENDED)
        late_ms = rng.choice((10, 900, 3100, 3100, 7000 if rng.random() < 0.05 else 500))
        if rng.random() < 0.3:
            log.add(EventType.DENIED, at, rng.choice(CARS), session, cause=rng.choice(CAUSES), speaker=user)
        at = log.talk(session, user, at + 10, rng.randrange(300, 30_000), ended, late_ms)
        if ended == "lost":
            log.add(EventType.HEARTBEAT_LOST, at, user, session, of="floor", burst=log.burst)
        if rng.random() < 0.9:
            of = rng.randrange(0, 4)
            by = rng.randrange(0, of + 1)
            log.add(EventType.BURST_HEARD, at + 20, user, session, burst=log.burst, heard_by=by, heard_of=of)
            at += 20
    for kind, chance, meta in (
        (EventType.EMERGENCY, 0.02, {"by": "request", "allowed": True}),
        (EventType.CLEANED, 0.02, {"reason": "stale_session"}),
        (EventType.LINK_LOST, 0.05, {"reason": "will"}),
        (EventType.REVOKED, 0.05, {"burst": log.burst, "cause": "burst_too_long"}),
        (EventType.ALERT_RAISED, 0.05, {"alert": "heat", "severity": "warning", "what": "hot"}),
        (EventType.HEARTBEAT_LOST, 0.03, {"of": "member", "reason": "cleaned: stale_participant"}),
    ):
        if rng.random() < chance:
            at += 5
            log.add(kind, at, rng.choice(CARS), session, **meta)
    at += rng.randrange(0, 6000)
    log.add(EventType.SESSION_ENDED, at, None, session, reason="hang time over")
    forgotten = rng.random() < 0.01
    for user in joined[1:] if forgotten else joined:
        at += rng.randrange(0, 500)
        log.add(EventType.USER_LEFT, at, user, session, reason="left")
    return at + 1
