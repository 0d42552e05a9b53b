"""How long members were joined to Agora, against what it would be if every one of them always were. Pure.

Agora bills every minute joined, silent ones too. Made from the office's log: a member is joined from its USER_JOINED
(or VOICE_CHANGED) with voice `agora` until it left, changed to MQTT or joined another session. Its word comes up to 1 s
late at both ends, which evens out. Where its leaving was never logged (a crash of vehicle and server together), it is
counted until LEFT_BEHIND_S after the session's end: Agora drops a client that is not heard for less than that. Beside
them stand the minutes in the sessions' channel over either voice: what would be joined if all voice were Agora's.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from protocol.ids import OfficeId
from protocol.messages import Event, EventType, VoicePath

LEFT_BEHIND_S = 30.0
SILENT_LOG_S = 660.0
"""A session that runs logs a burst's end at least so often; where the log stops, nobody is counted for longer."""
USD_PER_1000_MIN = 0.99
"""Audio, list price: an assumption, 43 US$ for a month of one client always joined. What applies is in the contract."""
MONTH_DAYS = 30.0
NEEDED = (
    EventType.USER_JOINED,
    EventType.USER_LEFT,
    EventType.VOICE_CHANGED,
    EventType.SESSION_ENDED,
    EventType.SPEAKER_CHANGED,
    EventType.BURST_ENDED,
)
"""The events that minutes are made of."""
_MINUTE_MS = 60_000


class Stay(Struct, frozen=True, kw_only=True):
    """A user that could be joined, for the comparison. Unix ms."""

    user: str
    name: str = ""
    since: int = 0
    until: int | None = None
    """When it was revoked; None: it still belongs."""


class UserMinutes(Struct, frozen=True, kw_only=True):
    """One user in the period. Minutes, not rounded."""

    user: str
    name: str
    joins: int
    """How often it joined, or came over from MQTT voice."""
    joined_min: float
    always_min: float
    """What it would be if it were always joined, as a car that is always on."""

    @property
    def saving(self) -> float | None:
        """Part of the always-joined minutes that was not spent, 0 to 1; None where there are none."""
        return None if self.always_min <= 0 else 1 - self.joined_min / self.always_min


class OfficeMinutes(Struct, frozen=True, kw_only=True):
    """One office in the period [since, until), Unix ms."""

    office: OfficeId
    since: int
    until: int
    users: tuple[UserMinutes, ...]
    channel: dict[str, float] = {}
    """Of each user that was in a session's channel: its minutes there, over either voice."""

    @property
    def channel_min(self) -> float:
        """Those of all users."""
        return sum(self.channel.values())

    @property
    def on_agora(self) -> bool:
        """Whether anybody was joined to Agora: else its cost says nothing of what joining on demand saves."""
        return any(user.joined_min > 0 for user in self.users)

    @property
    def channel_saving(self) -> float | None:
        """What would be saved if all voice had been Agora's, 0 to 1; None where nobody could have been joined."""
        always_min = self.total.always_min
        return None if always_min <= 0 else max(0.0, 1 - self.channel_min / always_min)

    @property
    def total(self) -> UserMinutes:
        """All users together."""
        return UserMinutes(
            user="",
            name="",
            joins=sum(u.joins for u in self.users),
            joined_min=sum(u.joined_min for u in self.users),
            always_min=sum(u.always_min for u in self.users),
        )


def count(
    office: OfficeId, events: Iterable[Event], stays: Mapping[str, Stay], since: int, until: int
) -> OfficeMinutes:
    """Count one office's minutes from its log, in the log's order; it may begin before the period.

    `stays`: who could have been joined; a user of the log that is not in there is taken to have been there all along.
    Raises ValueError for a period that ends before it begins.
    """
    tally = MinuteTally(since, until)
    for event in events:
        tally.take(event)
    return tally.end(office, stays)


def cost_usd(minutes: float, usd_per_1000_min: float) -> float:
    """What so many minutes cost."""
    return minutes / 1000 * usd_per_1000_min


def per_month(minutes: float, since: int, until: int) -> float | None:
    """Give the minutes of a month of MONTH_DAYS that goes on like this period; None for an empty one."""
    days = (until - since) / (24 * 60 * _MINUTE_MS)
    return None if days <= 0 else minutes / days * MONTH_DAYS


class MinuteTally:
    """`count`, for who reads the log for others too: takes one event after the other. Raises ValueError as it does."""

    def __init__(self, since: int, until: int) -> None:
        if until < since:
            raise ValueError("the period ends before it begins")
        self._names: dict[str, str] = {}
        """Users of whom the period has something to tell."""
        self._joins: dict[str, int] = {}
        self._since, self._until = since, until
        self._agora, self._channel = _Joined(since, until), _Joined(since, until)
        self._last_at = since

    def take(self, event: Event) -> None:
        """Read the next event, which is one of NEEDED."""
        user, session = event.user, event.event_id
        self._last_at = event.at
        match event.event:
            case EventType.USER_JOINED | EventType.VOICE_CHANGED if user is not None:
                if not self._channel.holds(user, session):
                    self._channel.leave(user, event.at)
                    self._channel.join(user, event.at, session)
                on_agora = event.metadata.get("voice") == VoicePath.AGORA.value
                if not (on_agora and self._agora.holds(user, session)):
                    self._leave_agora(user, event.at)
                    if on_agora:
                        self._join_agora(user, event)
            case EventType.USER_LEFT if user is not None:
                self._channel.leave(user, event.at)
                self._leave_agora(user, event.at)
            case EventType.SESSION_ENDED if session is not None:
                self._channel.ended(session, event.at)
                self._agora.ended(session, event.at)
            case _:
                pass

    def end(self, office: OfficeId, stays: Mapping[str, Stay]) -> OfficeMinutes:
        """The log is read: who is joined still is, up to the period's end, unless the log ended long before."""
        last_at = min(self._until, self._last_at + int(SILENT_LOG_S * 1000))
        for user in self._channel.inside:
            self._channel.leave(user, last_at)
        for user in self._agora.inside:
            self._leave_agora(user, last_at)
        since, until = self._since, self._until
        found = {**{user: Stay(user=user, name=name) for user, name in self._names.items()}, **stays}
        users = []
        for user, stay in sorted(found.items()):
            begin, end = max(since, stay.since), min(until, until if stay.until is None else stay.until)
            users.append(
                UserMinutes(
                    user=user,
                    name=stay.name or self._names.get(user, ""),
                    joins=self._joins.get(user, 0),
                    joined_min=self._agora.ms.get(user, 0) / _MINUTE_MS,
                    always_min=max(0, end - begin) / _MINUTE_MS,
                )
            )
        channel = {user: ms / _MINUTE_MS for user, ms in sorted(self._channel.ms.items())}
        return OfficeMinutes(office=office, since=since, until=until, users=tuple(users), channel=channel)

    def _join_agora(self, user: str, event: Event) -> None:
        self._agora.join(user, event.at, event.event_id)
        if self._since <= event.at < self._until:
            self._joins[user] = self._joins.get(user, 0) + 1
            self._names[user] = event.name or user

    def _leave_agora(self, user: str, at: int) -> None:
        if self._agora.leave(user, at):
            self._names.setdefault(user, user)


class _Joined:
    """Who is joined to one thing, and how long each was within [since, until). Unix ms."""

    def __init__(self, since: int, until: int) -> None:
        self._since, self._until = since, until
        self._open: dict[str, tuple[int, str | None]] = {}
        """User -> when it joined, and which session's channel."""
        self._ended: dict[str, int] = {}
        """Sessions that ended while somebody was joined -> when."""
        self.ms: dict[str, int] = {}

    @property
    def inside(self) -> tuple[str, ...]:
        """Who is joined now."""
        return tuple(self._open)

    def holds(self, user: str, session: str | None) -> bool:
        """Whether the user is joined to this very session."""
        return self._open.get(user, (0, ""))[1] == session

    def join(self, user: str, at: int, session: str | None) -> None:
        """It joined."""
        self._open[user] = (at, session)

    def ended(self, session: str, at: int) -> None:
        """The session is over; who is joined to it may still tell that it left."""
        if any(mine == session for _, mine in self._open.values()):
            self._ended[session] = at

    def leave(self, user: str, at: int) -> bool:
        """It left, if it was joined at all; gives whether that counts."""
        began, session = self._open.pop(user, (at, None))
        ended = self._ended.get(session) if session is not None else None
        if ended is not None:
            at = min(at, ended + int(LEFT_BEHIND_S * 1000))
        spent = min(at, self._until) - max(began, self._since)
        if spent > 0:  # a clock that was set back counts nothing instead of less
            self.ms[user] = self.ms.get(user, 0) + spent
        return spent > 0
