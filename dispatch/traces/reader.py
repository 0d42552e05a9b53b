"""Reading traces beside the service: for `ptt-dispatch trace`, the pages and the report."""

import msgspec
import sqlalchemy as sa

from dispatch.history.presses import Answered, Press
from dispatch.store.reader import StoreReader
from dispatch.traces.store import press
from protocol.ids import OfficeId
from protocol.messages import DenyCause, Ended, EventType, PressTrace

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
BURST_MS = 600_000
"""The end of a burst is looked for so long after the period."""
_LOG = (EventType.SPEAKER_CHANGED, EventType.DENIED, EventType.BURST_ENDED, EventType.HEARTBEAT_LOST)
_decoder = msgspec.json.Decoder(PressTrace)


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
        """Give those of [since_ms, until_ms) by their edges, oldest first; none where nobody wrote any yet."""
        chosen = sa.select(press.c.user, press.c.received_at, press.c.trace).where(
            press.c.region == office.region,
            press.c.office == office.office,
            press.c.edge_at >= since_ms,
            press.c.edge_at < until_ms,
        )
        if user is not None:
            chosen = chosen.where(press.c.user == user)
        with self._reader.read() as connection:
            if not sa.inspect(connection).has_table(press.name):
                return ()
            rows = connection.execute(chosen.order_by(press.c.edge_at, press.c.request)).all()
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

    def presses(self, office: OfficeId, since_ms: int, until_ms: int) -> tuple[Press, ...]:
        """Give them as figures need them; none where no press of the period is traced.

        Where some are, those without a trace are taken from the log: denials without a reason, and grants that never
        arrived (lost, and never renewed, so that no heartbeat of them was lost), are failures.
        """
        traced = self.traces(office, since_ms, until_ms)
        if not traced:
            return ()
        known = {(one.user, tuple(one.trace.request_id)) for one in traced}
        found = [made for one in traced if (made := _press(one)) is not None]
        log = tuple(self._reader.scan(office, since_ms, until_ms + BURST_MS, _LOG))
        renewed = {e.metadata.get("burst") for e in log if e.event is EventType.HEARTBEAT_LOST}
        lost = {
            e.metadata.get("burst")
            for e in log
            if e.event is EventType.BURST_ENDED and e.metadata.get("ended") == Ended.LOST.value
        } - renewed
        for event in log:
            request = tuple(event.metadata.get("request_id") or ())
            if event.user is None or event.at >= until_ms or (event.user, request) in known:
                continue
            if event.event is EventType.SPEAKER_CHANGED:
                arrived = event.metadata.get("burst") not in lost
                answered = Answered.GRANTED if arrived else Answered.FAILED
            elif event.event is EventType.DENIED:
                explained = event.metadata.get("cause") not in UNEXPLAINED
                answered = Answered.EXPLAINED if explained else Answered.FAILED
            else:
                continue
            found.append(Press(user=event.user, at=event.at, answered=answered))
        return tuple(sorted(found, key=lambda each: each.at))


def _press(one: Traced) -> Press | None:
    trace = one.trace
    answer = trace.told[0] if trace.told else None
    if answer is None or answer.what in NO_WISH:
        return None
    granted = answer.what in GRANTED or trace.permitted_ms is not None
    answered = Answered.GRANTED if granted else Answered.EXPLAINED if answer.what in DENIED else Answered.FAILED
    return Press(user=one.user, at=trace.edge_at, answered=answered, answer_ms=answer.ms)
