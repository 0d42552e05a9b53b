"""A sweep before its time: what the running service is asked by `ptt-dispatch clean --now`, and what it answers."""

from collections.abc import Iterable

from msgspec import Struct

from dispatch.core.server import Effect
from dispatch.core.turn import Publish
from protocol.messages import Event, EventType

CLEANED_AS = "cleaned: "
"""What the reason of a member begins with whom the sweep removed from the channel."""
SHOWN_MAX = 1000
"""Things removed by one sweep that are told one by one."""


class Cleaned(Struct, frozen=True, kw_only=True):
    """One thing the sweep removed. `what`: `stale_floor`, `stale_session` or `stale_participant`."""

    office: str
    what: str
    user: str | None = None
    name: str | None = None


class Swept(Struct, frozen=True, kw_only=True):
    """The answer. `refused`: why nothing, or not everything, was swept; empty: all was."""

    replica: str
    offices: int = 0
    """Offices that were swept."""
    not_served: tuple[str, ...] = ()
    """Offices that this service does not serve at the moment, and therefore did not sweep."""
    cleaned: tuple[Cleaned, ...] = ()
    """At most SHOWN_MAX."""
    refused: str = ""
    busy: bool = False
    """Refused only for this moment: it is worth asking again."""


def cleaned_in(effects: Iterable[Effect]) -> tuple[Cleaned, ...]:
    """Give what a sweep removed, from what it publishes: floors and sessions, then members."""
    found = []
    for effect in effects:
        event = effect.message if isinstance(effect, Publish) else None
        if not isinstance(effect, Publish) or not isinstance(event, Event):
            continue
        reason = str(event.metadata.get("reason", ""))
        if event.event is EventType.CLEANED:
            found.append(Cleaned(office=str(effect.office), what=reason, user=event.user, name=event.name))
        elif event.event is EventType.HEARTBEAT_LOST and reason.startswith(CLEANED_AS):
            what = reason.removeprefix(CLEANED_AS)
            found.append(Cleaned(office=str(effect.office), what=what, user=event.user, name=event.name))
    return tuple(found[:SHOWN_MAX])
