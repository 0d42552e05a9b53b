"""Events on their way from the log to the broker: each at least once, marked when the broker has it.

Any process that has the store may log events (`dispatch.core.notices`); those of one that has no broker go out here.
"""

from collections import deque

from dispatch.core.turn import Publish
from dispatch.ports import Store
from protocol.ids import OfficeId
from protocol.messages import Event
from protocol.topics import Kind

RESEND_MAX = 500
MARK_EVERY_S = 1.0
OTHERS_S = 1.2
"""An event that another process logged is its own to publish, and to mark within MARK_EVERY_S of the acknowledgement.
After this time nobody does (the REST service and the commands have no broker, a replica may have died): we do."""


class Outbox:
    """One office's events between commit and acknowledgement."""

    def __init__(self, office: OfficeId, store: Store) -> None:
        """Start knowing nothing: `resend` asks the store."""
        self._office = office
        self._store = store
        self._acked: list[int] = []
        self._flying: set[int] = set()
        self._more = False
        self._again = False
        self._mark_at = 0.0
        self._newest = 0
        self._gap = False
        self._others: deque[tuple[float, int]] = deque()
        """When to look for what other processes logged, and up to which number: at most one entry each reading."""

    def sent(self, number: int) -> None:
        """An event was given to the broker."""
        self._flying.add(number)
        self._gap = self._gap or number > self._newest + 1
        self._newest = max(self._newest, number)

    def logged(self, newest: int, now: float) -> None:
        """The log goes up to `newest`, as read at `now`; all of our own are known here. Others may have logged some."""
        if newest > self._newest or self._gap:
            self._gap = False
            self._newest = max(self._newest, newest)
            self._others.append((now + OTHERS_S, self._newest))

    def acked(self, number: int) -> None:
        """The broker has it."""
        self._flying.discard(number)
        self._acked.append(number)

    def again(self) -> None:
        """Have `tick` give all that no broker acknowledged: the connection is new, or effects may have been lost."""
        self._again = True

    def resend(self) -> tuple[Publish, ...]:
        """Give again what no broker acknowledged, oldest first, RESEND_MAX at a time."""
        self._flying.clear()
        done = set(self._acked)
        events = self._store.unpublished(self._office, RESEND_MAX)
        self._more = len(events) == RESEND_MAX
        out = tuple(publish_event(self._office, e) for e in events if e.no not in done)
        self._flying.update(p.event_no for p in out if p.event_no is not None)
        return out

    def tick(self, now: float) -> tuple[Publish, ...]:
        """Resend when asked to; mark what was acknowledged, at most once a second; go on with a long backlog."""
        if self._again:
            out = self.resend()
            self._again = False
            return out
        if self._others and now >= self._others[0][0]:
            out = self._of_others(self._others[0][1])
            self._others.popleft()
            return out
        if now < self._mark_at or not self._acked:
            return ()
        self._mark_at = now + MARK_EVERY_S
        self._store.mark_published(self._office, tuple(self._acked))
        self._acked.clear()
        return self.resend() if self._more and not self._flying else ()

    def _of_others(self, up_to: int) -> tuple[Publish, ...]:
        events = self._store.unpublished(self._office, RESEND_MAX)
        self._more = self._more or len(events) == RESEND_MAX
        ours = {*self._flying, *self._acked}
        return tuple(publish_event(self._office, e) for e in events if e.no <= up_to and e.no not in ours)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        if self._again:
            return 0.0
        times = [at for at, _ in self._others][:1] + ([self._mark_at] if self._acked else [])
        return min(times, default=None)


def publish_event(office: OfficeId, event: Event) -> Publish:
    """Give the effect that publishes an event and asks for its acknowledgement."""
    return Publish(office=office, kind=Kind.EVENTS, message=event, event_no=event.no)
