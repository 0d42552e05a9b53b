"""Events on their way from the log to the broker: each at least once, marked when the broker has it."""

from dispatch.core.turn import Publish
from dispatch.ports import Store
from protocol.ids import OfficeId
from protocol.messages import Event
from protocol.topics import Kind

RESEND_MAX = 500
MARK_EVERY_S = 1.0


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

    def sent(self, number: int) -> None:
        """An event was given to the broker."""
        self._flying.add(number)

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
        if now < self._mark_at or not self._acked:
            return ()
        self._mark_at = now + MARK_EVERY_S
        self._store.mark_published(self._office, tuple(self._acked))
        self._acked.clear()
        return self.resend() if self._more and not self._flying else ()

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        if self._again:
            return 0.0
        return self._mark_at if self._acked else None


def publish_event(office: OfficeId, event: Event) -> Publish:
    """Give the effect that publishes an event and asks for its acknowledgement."""
    return Publish(office=office, kind=Kind.EVENTS, message=event, event_no=event.no)
