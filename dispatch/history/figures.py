"""An office's figures of a period, out of its log: what report, dashboard and metrics count with. Pure.

What has an end belongs to the period in which it ended: sessions and bursts are counted where SESSION_ENDED and
BURST_ENDED stand. So a day that is over never changes, and a month is the sum of its days. Everything else is counted
where its event stands. The log is read from BEFORE_MS before the period, so that what began earlier is known, and
AHEAD_MS beyond it, so that late leavings are; neither is counted.
"""

from collections.abc import Iterable
from datetime import date, tzinfo

from msgspec import Struct

from dispatch.history.day import Period, local
from dispatch.history.integrity import Integrity, IntegrityTally
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

BEFORE_MS = 86_400_000
AHEAD_MS = 1_800_000
STALE_PARTICIPANT = "cleaned: "
"""How a lost heartbeat's reason begins that the cleaner found, not the judge."""


class Hour(Struct, kw_only=True):
    """One hour of the day, 0 to 23 by the office's clock, over all days of the period."""

    bursts: int = 0
    talk_s: float = 0.0
    sessions: int = 0
    denied: int = 0


class DayFigures(Struct, kw_only=True):
    """One day of the period."""

    day: date
    sessions: int = 0
    bursts: int = 0
    talk_s: float = 0.0
    denied: int = 0
    cleaned: int = 0
    heartbeats_lost: int = 0


class UserFigures(Struct, kw_only=True):
    """One user in the period."""

    user: str
    name: str = ""
    bursts: int = 0
    talk_s: float = 0.0
    denied: int = 0
    joins: int = 0
    """How often it joined a session's channel."""
    emergencies: int = 0
    heartbeats_lost: int = 0
    links_lost: int = 0

    @property
    def active(self) -> bool:
        """Whether it took part: spoke, wanted to, or joined."""
        return self.bursts + self.denied + self.joins > 0


class Figures(Struct, kw_only=True):
    """One office in one period. Times in s, moments in Unix ms; counts by cause or reason are exact."""

    office: OfficeId
    period: Period
    events: int = 0
    sessions: int = 0
    sessions_running: int = 0
    """Begun, and not over at the period's end or at the last event read."""
    session_s: float = 0.0
    session_longest_s: float = 0.0
    bursts: int = 0
    talk_s: float = 0.0
    burst_longest_s: float = 0.0
    most_at_once: int = 0
    """Members joined to one session's channel at once."""
    most_at: int | None = None
    granted: int = 0
    denied: dict[str, int] = {}
    revoked: dict[str, int] = {}
    ended: dict[str, int] = {}
    cleaned: dict[str, int] = {}
    heartbeats_lost: dict[str, int] = {}
    links_lost: int = 0
    alerts: dict[str, int] = {}
    emergencies: int = 0
    enrolled: int = 0
    shut_out: int = 0
    """Users revoked."""
    counted_bursts: int = 0
    """Bursts of which it is known who heard them, and somebody could."""
    heard_bursts: int = 0
    """Those of them that at least one heard."""
    hours: tuple[Hour, ...] = ()
    days: tuple[DayFigures, ...] = ()
    users: tuple[UserFigures, ...] = ()
    integrity: Integrity = Integrity()

    @property
    def session_average_s(self) -> float | None:
        """Average length of a session; None where there was none."""
        return self.session_s / self.sessions if self.sessions else None

    @property
    def grants_lost(self) -> int:
        """Bursts that were freed without ever having been renewed: the grant did not arrive."""
        return max(0, self.ended.get("lost", 0) - self.heartbeats_lost.get("floor", 0))

    @property
    def active_users(self) -> int:
        """How many took part."""
        return sum(user.active for user in self.users)

    @property
    def presses(self) -> int:
        """Presses that reached the server and were decided there."""
        return self.granted + sum(self.denied.values())


def count(office: OfficeId, period: Period, events: Iterable[Event], where: tzinfo, read_until: int) -> Figures:
    """Count a period out of the office's log, in the log's order, as read up to `read_until` (Unix ms)."""
    tally = _Tally(office, period, where)
    for event in events:
        tally.take(event)
    return tally.end(read_until)


class _Tally:
    def __init__(self, office: OfficeId, period: Period, where: tzinfo) -> None:
        self._found = Figures(office=office, period=period)
        self._where = where
        self._hours = tuple(Hour() for _ in range(24))
        self._days: dict[date, DayFigures] = {}
        self._users: dict[str, UserFigures] = {}
        self._sessions: dict[str, int] = {}
        self._joined: dict[str, set[str]] = {}
        self._talking: tuple[int, int] | None = None
        self._integrity = IntegrityTally(period)
        self._begun = False
        self._over = False

    def take(self, event: Event) -> None:
        period = self._found.period
        inside = period.since <= event.at < period.until
        if event.at >= period.until and not self._over:
            self._over = True
            self._found.sessions_running = len(self._sessions)
        if inside and not self._begun:
            self._begun = True
            self._crowd(period.since)
        self._integrity.take(event)
        if inside:
            self._found.events += 1
            self._count(event)
        self._follow(event)
        if inside and event.event is EventType.USER_JOINED:
            self._crowd(event.at)

    def end(self, read_until: int) -> Figures:
        found = self._found
        if not self._over:
            found.sessions_running = len(self._sessions)
        if not self._begun:
            self._crowd(found.period.since)
        found.hours = self._hours
        found.days = tuple(self._days[day] for day in sorted(self._days))
        found.users = tuple(self._users[user] for user in sorted(self._users))
        found.integrity = self._integrity.end(read_until)
        return found

    # --- what is counted --------------------------------------------------------------------------------------------

    def _count(self, event: Event) -> None:
        found, meta = self._found, event.metadata
        match event.event:
            case EventType.SESSION_ENDED:
                began = self._sessions.get(event.event_id or "", event.at)
                length_s = max(0, event.at - began) / 1000
                found.sessions += 1
                found.session_s += length_s
                found.session_longest_s = max(found.session_longest_s, length_s)
                self._hour(event).sessions += 1
                self._day(event).sessions += 1
            case EventType.SPEAKER_CHANGED:
                found.granted += 1
            case EventType.BURST_ENDED:
                self._count_burst(event)
            case EventType.BURST_HEARD if _number(meta.get("heard_of")) > 0:
                found.counted_bursts += 1
                found.heard_bursts += _number(meta.get("heard_by")) > 0
            case EventType.DENIED:
                _add(found.denied, meta.get("cause"))
                self._user(event).denied += 1
                self._hour(event).denied += 1
                self._day(event).denied += 1
            case EventType.REVOKED:
                _add(found.revoked, meta.get("cause"))
            case EventType.CLEANED:
                self._clean(event, meta.get("reason"))
            case EventType.HEARTBEAT_LOST:
                _add(found.heartbeats_lost, meta.get("of"))
                self._user(event).heartbeats_lost += 1
                self._day(event).heartbeats_lost += 1
                reason = str(meta.get("reason") or "")
                if reason.startswith(STALE_PARTICIPANT):
                    self._clean(event, reason.removeprefix(STALE_PARTICIPANT))
            case EventType.LINK_LOST:
                found.links_lost += 1
                self._user(event).links_lost += 1
            case EventType.ALERT_RAISED:
                _add(found.alerts, meta.get("alert"))
            case EventType.EMERGENCY:
                found.emergencies += 1
                self._user(event).emergencies += 1
            case EventType.USER_JOINED:
                self._user(event).joins += 1
            case EventType.ENROLLED:
                found.enrolled += 1
            case EventType.USER_REVOKED:
                found.shut_out += 1
            case _:
                pass

    def _count_burst(self, event: Event) -> None:
        found = self._found
        began = self._talking[1] if self._talking and self._talking[0] == event.metadata.get("burst") else event.at
        talk_s = max(0, event.at - began) / 1000
        user, hour, day = self._user(event), self._hour(event), self._day(event)
        found.bursts += 1
        found.talk_s += talk_s
        found.burst_longest_s = max(found.burst_longest_s, talk_s)
        for part in (user, hour, day):
            part.bursts += 1
            part.talk_s += talk_s
        _add(found.ended, event.metadata.get("ended"))

    def _clean(self, event: Event, reason: object) -> None:
        _add(self._found.cleaned, reason)
        self._day(event).cleaned += 1

    # --- what is so -------------------------------------------------------------------------------------------------

    def _follow(self, event: Event) -> None:
        session = event.event_id or ""
        match event.event:
            case EventType.SESSION_STARTED:
                self._sessions = {session: event.at}  # an office has one at a time
                self._joined = {session: self._joined.get(session, set())}
            case EventType.SESSION_ENDED:
                self._sessions.pop(session, None)
                self._joined.pop(session, None)
            case EventType.SPEAKER_CHANGED:
                self._talking = _number(event.metadata.get("burst")), event.at
            case EventType.BURST_ENDED:
                self._talking = None
            case EventType.USER_JOINED if event.user is not None:
                self._joined.setdefault(session, set()).add(event.user)
            case EventType.USER_LEFT if event.user is not None:
                self._joined.get(session, set()).discard(event.user)
            case _:
                pass

    def _crowd(self, at: int) -> None:
        most = max(map(len, self._joined.values()), default=0)
        if most > self._found.most_at_once:
            self._found.most_at_once, self._found.most_at = most, at

    def _user(self, event: Event) -> UserFigures:
        user = event.user or ""
        found = self._users.setdefault(user, UserFigures(user=user))
        found.name = event.name or found.name
        return found

    def _hour(self, event: Event) -> Hour:
        return self._hours[local(event.at, self._where).hour]

    def _day(self, event: Event) -> DayFigures:
        day = local(event.at, self._where).date()
        return self._days.setdefault(day, DayFigures(day=day))


def _add(counts: dict[str, int], what: object) -> None:
    key = str(what) if what is not None else "unknown"
    counts[key] = counts.get(key, 0) + 1


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
