"""Everything that is known of a member's presses of some time, gathered from the store and told. Used by the command
and by the pages, so that both say the same."""

from zoneinfo import ZoneInfo

from dispatch.history.day import local
from dispatch.history.heartbeats import LOST, count_beats
from dispatch.store.reader import StoreReader
from dispatch.traces.listeners import NEAR_MS
from dispatch.traces.reader import TraceReader
from dispatch.traces.tell import LINK_EVENTS, Evidence, Link, Told, links, tell
from protocol.ids import OfficeId
from protocol.messages import EventType

EVENTS_BEHIND_MS = 60_000
"""Who heard a burst, and when a link was back, is logged after the press."""
LINKS_LOOKED_AT = 200
DAY_MS = 86_400_000
_NEARBY = (EventType.SPEAKER_CHANGED, EventType.DENIED, EventType.BURST_HEARD)


class Gatherer:
    """Reads one store; every call may raise StoreUnavailable."""

    def __init__(self, store: StoreReader) -> None:
        self._store = store
        self.traces = TraceReader(store)

    def links(self, office: OfficeId, user: str, until_ms: int) -> tuple[Link, ...]:
        """Give the times without connection that are known, up to then."""
        until_ms += EVENTS_BEHIND_MS
        return links(
            self._store.events(
                office, types=LINK_EVENTS, user=user, until_ms=until_ms, newest=True, limit=LINKS_LOOKED_AT
            )
        )

    def told(
        self, office: OfficeId, user: str, since_ms: int, until_ms: int, lang: str, where: ZoneInfo
    ) -> tuple[Told, ...]:
        """Give a member's presses whose edge, or answer where no trace tells the edge, lies in [since_ms, until_ms)."""
        # An edge and its answer may lie on both sides of the window's ends.
        begin, end = max(0, since_ms - EVENTS_BEHIND_MS), until_ms + EVENTS_BEHIND_MS
        nearby = [event for event in self._store.scan(office, begin, end, _NEARBY) if event.user == user]
        traced = self.traces.traces(office, begin, until_ms, user)
        evidence = Evidence()
        if traced or nearby:
            came = self.traces.beats(office, since_ms - DAY_MS, until_ms, user)
            lost = self._store.events(
                office, types=LOST, user=user, since_ms=max(1, since_ms - DAY_MS), until_ms=until_ms
            )
            bursts = {one.trace.burst for one in traced if one.trace.burst}
            last_ms = max([end, *(one.received_at for one in traced)])
            reports = self.traces.reports(office, begin - NEAR_MS, last_ms + NEAR_MS, bursts)
            beats = count_beats(came, lost).get(user)
            evidence = Evidence(
                reports=reports,
                tokens=self.traces.tokens(office, user, since_ms - DAY_MS, until_ms),
                heartbeat_rate=None if beats is None else beats.rate,
            )
        away = self.links(office, user, until_ms)
        found = tell(traced, nearby, away, lang, lambda at: f"{local(at, where):%H:%M:%S}", evidence)
        return tuple(one for one in found if since_ms <= one.at < until_ms)

    def of_burst(self, office: OfficeId, burst: int, lang: str, where: ZoneInfo) -> tuple[str, Told] | None:
        """Give whose press was granted as `burst`, and that press; None where the log knows of none."""
        grant = self.traces.speech(office, burst)
        if grant is None or grant.user is None:
            return None
        request = tuple(grant.metadata.get("request_id") or ())
        around = self.told(office, grant.user, grant.at - NEAR_MS, grant.at + NEAR_MS, lang, where)
        found = [one for one in around if one.request == request]
        return (grant.user, found[0]) if found else None
