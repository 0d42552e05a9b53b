"""What becomes of a burst that is uploaded, listed or fetched. Blocking; any thread.

Least rights: only members of the office's floor list and fetch, and of nobody but their own office. Monitors,
technicians and admins know from the log of events who spoke when; what was said is not theirs. The bridge neither
uploads nor fetches. A burst is taken from its own speaker alone, by the word of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from dispatch.bursts.store import BurstStore, Kept
from dispatch.registry.port import Registry
from dispatch.registry.words import Office, User
from dispatch.rest.problems import Refused
from protocol.burst_file import BURST_FILE_BYTES_MAX, BYTES_A_SECOND_MAX, BadBurstFile, unpack
from protocol.ids import OfficeId
from protocol.messages import Event, EventType
from protocol.rest import LISTED_MAX, BurstTaken, KeptBurst, KeptBursts

TALK_LIMIT_S = 30.0
"""An office's that the configuration says nothing of."""
GRACE_S = 5.0
ENDED_LOOKED_AT = 300
"""The newest so many ends of bursts are looked through for the one that is uploaded: ten minutes of a busy office."""


class Ends(Protocol):
    """The log of events (`dispatch.store.reader.StoreReader`)."""

    def events(
        self, of: OfficeId, *, limit: int | None = None, types: tuple[EventType, ...] = (), newest: bool = False
    ) -> tuple[Event, ...]:
        """Give the newest events of these types, oldest first."""


class BurstDesk:
    """Answers everything under `/v1/bursts`. `wall_ms` is Unix time in ms."""

    def __init__(
        self,
        registry: Registry,
        bursts: BurstStore,
        ended: Callable[[OfficeId, int], Event | None],
        check_unit: Callable[[User, str | None], None],
        talk_limits_s: Mapping[OfficeId, float],
        *,
        wall_ms: Callable[[], int],
    ) -> None:
        """`ended` gives the log's word of a burst's end; `check_unit` raises Refused for a clone."""
        self._registry = registry
        self._bursts = bursts
        self._ended = ended
        self._check_unit = check_unit
        self._talk_limits_s = talk_limits_s
        self._wall_ms = wall_ms
        self.taken = 0
        """Bursts taken since the start."""

    def bytes_max(self, office: OfficeId) -> int:
        """How long a burst's file may be: what the talk-time limit allows at the highest bitrate."""
        limit_s = self._talk_limits_s.get(office, TALK_LIMIT_S) + GRACE_S
        return min(BURST_FILE_BYTES_MAX, round(limit_s * BYTES_A_SECOND_MAX))

    def admit(self, user: User, hardware: str | None, *, uploads: bool) -> Office:
        """Check who asks, before anything of a body is read; raises Refused."""
        if not user.role.member:
            raise Refused("no_member", f"the role {user.role.value} takes no part in the floor")
        self._check_unit(user, hardware)
        office = self._registry.office(user.office)
        if office is None:
            raise Refused("store", "the registry holds no such office", mend="restore a backup of the store")
        if uploads and not office.replay_keep_s:
            raise Refused("replay_off")
        return office

    def take(self, user: User, office: Office, burst: int, data: bytes) -> tuple[BurstTaken, bool]:
        """Keep what a user said; True where it was not kept before. Raises Refused."""
        most = self.bytes_max(office.id)
        if len(data) > most:
            raise Refused("too_large", f"{len(data)} bytes", mend=f"send at most {most} bytes of a burst")
        try:
            file = unpack(data)
        except BadBurstFile as error:
            raise Refused("bad_request", f"the body is no burst file: {error}") from None
        if file.burst != burst:
            raise Refused("bad_request", "the file is of another burst than the path")
        end = self._ended(office.id, burst)
        if end is None:
            raise Refused("not_spoken")
        if end.user != user.user:
            raise Refused("not_yours")
        meta = Kept(
            office=office.id,
            burst=burst,
            user=user.user,
            name=user.name,
            at=end.at,
            seconds=round(file.seconds, 3),
            size=len(data),
        )
        new = self._bursts.put(meta, data)
        self.taken += new
        return BurstTaken(burst=burst, seconds=meta.seconds), new

    def listed(self, user: User, office: Office, after: int) -> KeptBursts:
        """Say what others said after a burst, of what is kept."""
        now = self._wall_ms()
        since_ms = now - office.replay_keep_s * 1000
        limit = min(LISTED_MAX, office.replay_keep_count)
        found = self._bursts.listed(office.id, after=after, since_ms=since_ms, but=user.user, limit=limit)
        return KeptBursts(
            bursts=tuple(
                KeptBurst(
                    burst=one.burst,
                    user=one.user,
                    name=one.name,
                    ago_s=max(0.0, (now - one.at) / 1000),
                    seconds=one.seconds,
                )
                for one in found
                if office.replay_keep_s
            )
        )

    def give(self, office: Office, burst: int) -> bytes:
        """Give a burst's file; raises Refused."""
        since_ms = self._wall_ms() - office.replay_keep_s * 1000
        found = self._bursts.get(office.id, burst, since_ms) if office.replay_keep_s else None
        if found is None:
            raise Refused("not_found", "no such burst is kept")
        return found[1]

    def tidy(self) -> int:
        """Delete what is to be kept no more; gives how many bursts that were."""
        rules = {each.id: (each.replay_keep_s, each.replay_keep_count) for each in self._registry.offices()}
        gone: dict[OfficeId, frozenset[str]] = {}
        for office in {one.office for one in self._bursts.listed(limit=1_000_000)}:
            admitted = {each.user for each in self._registry.users(office) if each.revoked_at is None}
            speakers = {one.user for one in self._bursts.listed(office, limit=1_000_000)}
            gone[office] = frozenset(speakers - admitted)
        return self._bursts.tidy(rules, gone, self._wall_ms())


def end_of(ends: Ends, office: OfficeId, burst: int) -> Event | None:
    """Give the log's word of a burst's end; None where it has not ended, or long ago."""
    for event in reversed(ends.events(office, limit=ENDED_LOOKED_AT, types=(EventType.BURST_ENDED,), newest=True)):
        if event.metadata.get("burst") == burst:
            return event
    return None
