"""Server-sent events of one page: what changed since the version it has, a few times a second at most, and a beat.

A page that reads slowly is told less often, and then the newest; nothing piles up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from dispatch.web.board import Board, Changes
from dispatch.web.hub import Hub
from protocol.ids import OfficeId

GATHER_S = 0.1
"""Changes of so long a time are told together."""
TURN_S = 1.0
BEAT_S = 10.0
"""A page that hears nothing for three times so long takes the line for cut."""
CHECK_S = 60.0
"""So often at least the registry is asked whether this user may still look on; at once where it changed."""


class Marks:
    """Versions as pages name them: they mean something only in the process that gave them."""

    def __init__(self, boot: str) -> None:
        self._boot = boot

    def give(self, version: int) -> str:
        """Name a version."""
        return f"{self._boot}.{version}"

    def read(self, mark: str) -> int | None:
        """Give the version; None for another process's, or for what is none."""
        boot, _, version = mark[:64].partition(".")
        return int(version) if boot == self._boot and version.isascii() and version.isdecimal() else None


def wants(vehicle: str | None) -> Callable[[str], bool]:
    """Which keys a page shows: the office's without telemetry, or all of one vehicle."""

    def office(key: str) -> bool:
        return not key.startswith(("telemetry/", "info/"))

    def one(key: str) -> bool:
        kind, _, rest = key.partition("/")
        return not rest or kind == "burst" or rest.partition("/")[0] == vehicle

    return office if vehicle is None else one


async def follow(
    hub: Hub,
    office: OfficeId,
    user: str,
    wanted: Callable[[str], bool],
    marks: Marks,
    mark: str,
    *,
    allowed: Callable[[], Awaitable[bool]],
    ending: Callable[[], bool],
    wall_ms: Callable[[], int],
    clock: Callable[[], float],
) -> AsyncIterator[bytes]:
    """Give the events for a page of `user` until the process ends or the page's user may not look on any more."""
    board = hub.office(office).board
    with hub.watching(office, user) as woken:
        version = marks.read(mark)
        changes = board.since(version, wanted)
        version, told, checked, roll = changes.version, clock(), clock(), hub.roll
        yield _event("changes", changes, marks, wall_ms())
        while not ending():
            await _woken(woken)
            woken.clear()
            now = clock()
            if now - checked >= CHECK_S or roll != hub.roll:
                checked, roll = now, hub.roll
                if not await allowed():
                    yield b"event: over\ndata: {}\n\n"
                    return
            changes = board.since(version, wanted)
            version = changes.version
            if not changes.empty:
                told = now
                yield _event("changes", changes, marks, wall_ms())
                await asyncio.sleep(GATHER_S)
            elif now - told >= BEAT_S:
                told = now
                yield _event("beat", changes, marks, wall_ms())


async def _woken(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(TURN_S):
            await event.wait()
    except TimeoutError:
        return


def snapshot(board: Board, wanted: Callable[[str], bool], marks: Marks, wall_ms: int) -> dict[str, object]:
    """Give what a page shows at once; its stream goes on from `at`."""
    changes = board.since(None, wanted)
    return {"at": marks.give(changes.version), "now": wall_ms, "put": changes.put}


def _event(name: str, changes: Changes, marks: Marks, wall_ms: int) -> bytes:
    said = {"now": wall_ms, "whole": changes.whole, "put": changes.put, "gone": changes.gone}
    head = f"id: {marks.give(changes.version)}\nevent: {name}\ndata: "
    return head.encode() + msgspec.json.encode(said) + b"\n\n"
