"""Reading traces, listeners' reports and heartbeats beside the service: for `ptt-dispatch trace`, pages and report."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from dispatch.history.heartbeats import BeatsHour
from dispatch.history.presses import Answered, Press
from dispatch.registry import schema as registry
from dispatch.store.reader import StoreReader
from dispatch.store.schema import event
from dispatch.traces.listeners import NEAR_MS, FirstHeard, Reported
from dispatch.traces.schema import HOUR_MS, beats, played, press
from protocol.ids import OfficeId
from protocol.messages import BurstPlayed, DenyCause, Ended, Event, EventType, PressTrace

GRANTED = frozenset({"granted", "turn came"})
DENIED = frozenset(
    {
        *("denied", "queue full", "emergency going on", "office full", "refused", "not allowed"),
        *("transmitter muted", "phone busy", "not admitted", "not enrolled", "queued"),
    }
)
"""Answers that are neither a grant nor a failure: the driver was told who speaks, or why not he."""
NO_WISH = frozenset({"cancelled", "let go", "button stuck"})
"""Answers of a press that wanted, or could want, nothing: they say nothing of the office."""
UNEXPLAINED = (DenyCause.INTERNAL_ERROR.value, DenyCause.OTHER.value)
BURSTS_AT_ONCE = 500
"""So many are asked for in one statement."""
OF_ONE_MAX = 20_000
"""Presses of one user that are read at once: a unit names their moments itself, and could name one day for them all."""
BURST_MS = 600_000
"""The end of a burst is looked for so long after the period."""
_LOG = (
    *(EventType.SPEAKER_CHANGED, EventType.DENIED, EventType.BURST_ENDED, EventType.BURST_HEARD),
    EventType.HEARTBEAT_LOST,
)
_decoder = msgspec.json.Decoder(PressTrace)
_reports = msgspec.json.Decoder(BurstPlayed)


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as it is kept."""

    user: str
    received_at: int
    trace: PressTrace


class TraceReader:
    """Implements `dispatch.history.office_log.Presses`. Every call may raise StoreUnavailable."""

    def __init__(self, reader: StoreReader) -> None:
        """`reader`: of the office's store, shared with others."""
        self._reader = reader

    def traces(self, office: OfficeId, since_ms: int, until_ms: int, user: str | None = None) -> tuple[Traced, ...]:
        """Give those of [since_ms, until_ms) by their edges, oldest first; none where nobody wrote any yet.

        Of one user the newest OF_ONE_MAX.
        """
        chosen = sa.select(press.c.user, press.c.received_at, press.c.trace).where(
            press.c.region == office.region,
            press.c.office == office.office,
            press.c.edge_at >= since_ms,
            press.c.edge_at < until_ms,
        )
        if user is not None:
            chosen = chosen.where(press.c.user == user)
            newest = chosen.order_by(press.c.edge_at.desc(), press.c.request.desc()).limit(OF_ONE_MAX)
            rows = self._rows(press, newest)[::-1]
        else:
            rows = self._rows(press, chosen.order_by(press.c.edge_at, press.c.request))
        return tuple(
            Traced(user=row.user, received_at=row.received_at, trace=_decoder.decode(row.trace)) for row in rows
        )

    def last(self, office: OfficeId, user: str, before_ms: int) -> Traced | None:
        """Give the last one of a user before then."""
        mine = sa.and_(press.c.region == office.region, press.c.office == office.office, press.c.user == user)
        newest = sa.select(sa.func.max(press.c.edge_at)).where(mine, press.c.edge_at < before_ms)
        with self._reader.read() as connection:
            at = connection.scalar(newest) if sa.inspect(connection).has_table(press.name) else None
        found = () if at is None else self.traces(office, at, at + 1, user)
        return found[-1] if found else None

    def reports(
        self, office: OfficeId, since_ms: int, until_ms: int, bursts: Collection[int] | None = None
    ) -> tuple[Reported, ...]:
        """Give what listeners told in [since_ms, until_ms) of bursts (of these, or of all), in the order of bursts."""
        chosen = sa.select(played.c.user, played.c.received_at, played.c.report).where(
            played.c.region == office.region,
            played.c.office == office.office,
            played.c.received_at >= since_ms,
            played.c.received_at < until_ms,
        )
        chosen = chosen.order_by(played.c.burst, played.c.user)
        if bursts is None:
            rows = list(self._rows(played, chosen))
        else:
            some = sorted(bursts)
            parts = [some[at : at + BURSTS_AT_ONCE] for at in range(0, len(some), BURSTS_AT_ONCE)]
            rows = [row for part in parts for row in self._rows(played, chosen.where(played.c.burst.in_(part)))]
        return tuple(
            Reported(user=row.user, received_at=row.received_at, report=_reports.decode(row.report)) for row in rows
        )

    def beats(self, office: OfficeId, since_ms: int, until_ms: int, user: str | None = None) -> tuple[BeatsHour, ...]:
        """Give heartbeats of the hours that begin in [since_ms, until_ms), whole hours as they are kept."""
        chosen = sa.select(beats).where(
            beats.c.region == office.region,
            beats.c.office == office.office,
            beats.c.hour_at >= since_ms // HOUR_MS * HOUR_MS,
            beats.c.hour_at < until_ms,
        )
        if user is not None:
            chosen = chosen.where(beats.c.user == user)
        return tuple(
            BeatsHour(
                user=row.user,
                connection=row.connection,
                hour_at=row.hour_at,
                first_no=row.first_no,
                last_no=row.last_no,
                last_at=row.last_at,
                came=row.came.bit_count(),
            )
            for row in self._rows(beats, chosen)
        )

    def speech(self, office: OfficeId, burst: int) -> Event | None:
        """Give the grant of the newest burst of that number, out of the log; None where there is none."""
        texts = [f'%"burst":{burst}{end}%' for end in (",", "}")]
        where = sa.or_(*(event.c.metadata.like(text) for text in texts))
        mine = sa.and_(event.c.region == office.region, event.c.office == office.office)
        kind = event.c.type == EventType.SPEAKER_CHANGED.value
        with self._reader.read() as connection:
            no = connection.scalar(sa.select(sa.func.max(event.c.no)).where(mine, kind, where))
        found = () if no is None else self._reader.events(office, first_no=no, last_no=no)
        return found[0] if found and found[0].metadata.get("burst") == burst else None

    def tokens(self, office: OfficeId, user: str | None, since_ms: int, until_ms: int) -> tuple[tuple[int, float], ...]:
        """Give voice tokens of a time (None: of all users): when each was issued (Unix ms), how long that took (ms)."""
        token = registry.token
        chosen = sa.select(token.c.at, token.c.took_us).where(
            token.c.at >= since_ms,
            token.c.at < until_ms,
            token.c.region == office.region,
            token.c.office == office.office,
        )
        if user is not None:
            chosen = chosen.where(token.c.user == user)
        return tuple((row.at, row.took_us / 1000) for row in self._rows(token, chosen.order_by(token.c.at)))

    def _first_heard(self, office: OfficeId, since_ms: int, until_ms: int) -> dict[int, FirstHeard]:
        """Sum up the reports of each burst, in the database: a month of a big office has some millions."""
        column, least, most = played.c, sa.func.min, sa.func.max
        chosen = (
            sa.select(
                column.burst,
                least(column.received_at).label("received_at"),
                least(column.heard_at).label("heard_at"),
                most(column.heard_error_ms).label("error_ms"),
                most(column.join_ms).label("join_ms"),
            )
            .where(
                column.region == office.region,
                column.office == office.office,
                column.received_at >= since_ms,
                column.received_at < until_ms,
            )
            .group_by(column.burst)
        )
        return {
            row.burst: FirstHeard(
                received_at=row.received_at, heard_at=row.heard_at, error_ms=row.error_ms, join_ms=row.join_ms
            )
            for row in self._rows(played, chosen)
        }

    def _rows(self, table: sa.Table, chosen: sa.Select[Any]) -> Sequence[Any]:
        """Read a table that an older store may not have."""
        with self._reader.read() as connection:
            return connection.execute(chosen).all() if sa.inspect(connection).has_table(table.name) else ()

    def presses(self, office: OfficeId, since_ms: int, until_ms: int) -> tuple[Press, ...]:
        """Give them as figures need them; none where no press of the period is traced.

        Where some are, those without a trace are taken from the log: denials without a reason, and grants that never
        arrived (lost, and never renewed, so that no heartbeat of them was lost), are failures.
        """
        traced = self.traces(office, since_ms, until_ms)
        if not traced:
            return ()
        known = {(one.user, tuple(one.trace.request_id)) for one in traced}
        log = tuple(self._reader.scan(office, since_ms, until_ms + BURST_MS, _LOG))
        crowds = {e.metadata.get("burst"): crowd(e) for e in log if e.event is EventType.BURST_HEARD}
        heard = self._first_heard(office, since_ms - NEAR_MS, until_ms + NEAR_MS)
        found = []
        for one in traced:
            burst = one.trace.burst or 0
            made = _press(one, heard.get(burst), crowds.get(burst))
            found += [] if made is None else [made]
        renewed = {e.metadata.get("burst") for e in log if e.event is EventType.HEARTBEAT_LOST}
        lost = {
            e.metadata.get("burst")
            for e in log
            if e.event is EventType.BURST_ENDED and e.metadata.get("ended") == Ended.LOST.value
        } - renewed
        for entry in log:
            request = tuple(entry.metadata.get("request_id") or ())
            if entry.user is None or entry.at >= until_ms or (entry.user, request) in known:
                continue
            if entry.event is EventType.SPEAKER_CHANGED:
                arrived = entry.metadata.get("burst") not in lost
                how = Answered.GRANTED if arrived else Answered.FAILED
            elif entry.event is EventType.DENIED:
                explained = entry.metadata.get("cause") not in UNEXPLAINED
                how = Answered.EXPLAINED if explained else Answered.FAILED
            else:
                continue
            found.append(Press(user=entry.user, at=entry.at, answered=how))
        return tuple(sorted(found, key=lambda each: each.at))


def answered(trace: PressTrace) -> Answered | None:
    """Say how a press was answered; None where it wanted, or could want, nothing."""
    answer = trace.told[0] if trace.told else None
    if answer is None or answer.what in NO_WISH:
        return None
    if answer.what in GRANTED or trace.permitted_ms is not None:
        return Answered.GRANTED
    return Answered.EXPLAINED if answer.what in DENIED else Answered.FAILED


def crowd(heard: Event) -> int:
    """Give how many were in the channel of a burst, its speaker with them."""
    return int(heard.metadata.get("heard_of") or 0) + 1


def _press(one: Traced, heard: FirstHeard | None, participants: int | None) -> Press | None:
    how = answered(one.trace)
    if how is None:
        return None
    trace, notice_ms, error_ms = one.trace, None, None
    if heard is not None and not heard.of(trace, one.received_at):
        heard = None
    if heard is not None and heard.heard_at is not None and trace.edge_error_ms is not None:
        notice_ms, error_ms = max(0, heard.heard_at - trace.edge_at), trace.edge_error_ms + (heard.error_ms or 0)
    return Press(
        user=one.user,
        at=one.trace.edge_at,
        answered=how,
        answer_ms=one.trace.told[0].ms,
        notice_ms=notice_ms,
        notice_error_ms=error_ms,
        join_ms=None if heard is None else heard.join_ms,
        start_ms=one.trace.through_ms,
        participants=participants,
    )
