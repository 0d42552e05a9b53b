"""A year of an office's log, made up: sessions of a twenty-vehicle office, as the server logs them. Pure.

Everybody joins every session and leaves it again, so most rows are of that, as in a real log.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from protocol.messages import EventType

USERS = tuple(f"car-{number:02}" for number in range(1, 21))
RARE_USER = "car-rare"
"""Joins one session of RARE_EVERY."""
RARE_EVERY = 2000
DAYS = 365
DAY_MS = 86_400_000
DENIED_EVERY = 5
CAUSES = ("channel_busy", "queue_full")

Row = tuple[int, int, str, str | None, str | None, str | None, str]
"""Values of `dispatch.store.schema.EVENT_COLUMNS`."""


def per_session() -> int:
    """Rows of a session without denials, as `rows` makes it."""
    return 2 * len(USERS) + 5


def rows(count: int, end_ms: int, seed: int = 1) -> Iterator[Row]:
    """Give `count` rows, numbered from 1, evenly over DAYS that end at `end_ms` (Unix ms)."""
    chance = random.Random(seed)
    step_ms = max(1, DAYS * DAY_MS * (per_session() * DENIED_EVERY + 1) // (count * DENIED_EVERY))
    no, session = 0, 0
    while no < count:
        for row in _session(session, end_ms - DAYS * DAY_MS + session * step_ms, step_ms, chance):
            no += 1
            if no > count:
                return
            yield (no, *row)
        session += 1


def session_id(number: int) -> str:
    """Give the `event_id` of the session of this number, from 0."""
    return f"{number:032x}"


def _session(
    number: int, at: int, step_ms: int, chance: random.Random
) -> Iterator[tuple[int, str, str | None, str | None, str | None, str]]:
    event_id, speaker, burst = session_id(number), chance.choice(USERS), number + 1
    end = at + max(1, min(step_ms - 1, 12_000))
    listeners = [*USERS, RARE_USER] if number % RARE_EVERY == 0 else USERS
    yield at, EventType.SESSION_STARTED.value, event_id, speaker, speaker, '{"channel_name":"bench"}'
    granted = f'{{"burst":{burst},"priority":"normal","request_id":[1,1,1,{burst}]}}'
    yield at, EventType.SPEAKER_CHANGED.value, event_id, speaker, speaker, granted
    for user in listeners:
        yield at, EventType.USER_JOINED.value, event_id, user, user, '{"voice":"mqtt"}'
    if number % DENIED_EVERY == 0:
        denied = f'{{"cause":"{chance.choice(CAUSES)}","request_id":[1,1,1,{burst}]}}'
        yield (at + end) // 2, EventType.DENIED.value, None, chance.choice(USERS), None, denied
    ended = f'{{"burst":{burst},"ended":"released","last_seq":149,"unrenewed_ms":400}}'
    yield (at + end) // 2, EventType.BURST_ENDED.value, event_id, speaker, speaker, ended
    heard = f'{{"burst":{burst},"heard_by":19,"heard_of":19,"missing":[]}}'
    yield (at + end) // 2, EventType.BURST_HEARD.value, event_id, speaker, speaker, heard
    for user in listeners:
        yield end, EventType.USER_LEFT.value, event_id, user, user, '{"reason":"left"}'
    yield end, EventType.SESSION_ENDED.value, event_id, None, None, "{}"
