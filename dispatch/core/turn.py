"""One turn of an office's core: what a single transaction reads, changes and will publish once it is committed."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from dispatch.core.audience import Audience
from dispatch.core.state import Floor, Member, OfficeRules
from dispatch.ports import OfficeTx
from protocol.ids import OfficeId
from protocol.messages import Event, EventType, Message
from protocol.topics import Kind


class Publish(Struct, frozen=True, kw_only=True):
    """Effect: publish `message` (None clears a retained topic). `event_no` asks to be told when the broker has it."""

    office: OfficeId
    kind: Kind
    ids: tuple[str, ...] = ()
    message: Message | None
    retain: bool = False
    expiry_s: int | None = None
    event_no: int | None = None


class Turn:
    """Reads and writes of one transaction, and the effects it will have. Made anew each time the transaction runs."""

    def __init__(
        self,
        tx: OfficeTx,
        office: OfficeId,
        rules: OfficeRules,
        wall_ms: int,
        new_id: Callable[[], str],
        audience: Audience | None = None,
    ) -> None:
        """`wall_ms` is for people's eyes only; `new_id` gives session ids; `audience`: who is known to be online."""
        self.tx = tx
        self.office = office
        self.rules = rules
        self.wall_ms = wall_ms
        self.new_id = new_id
        stored = tx.floor()
        self._stored = stored
        self.audience = audience or Audience(rules)
        self.channel_name = rules.channel or f"{office.region}_{office.office}_ptt"
        """The channel that the office's next session has."""
        self.floor = stored or Floor(store=tx.store_id, channel_name=self.channel_name)
        self.out: list[Publish] = []
        self.events: list[Event] = []
        self.refused: set[str] = set()
        """Users of whom a sign was not taken up, as they do not belong."""
        self.clones: dict[str, str] = {}
        """Users under whom another unit came -> that unit's hardware."""
        self.played: list[tuple[str, int, bool]] = []
        """Reports of listeners taken up: user, burst, whether it counts as heard."""

    def change(self, **fields: object) -> None:
        """Change the floor in a way members must see: raises `rev`."""
        self.floor = msgspec.structs.replace(self.floor, rev=self.floor.rev + 1, **fields)

    def note(self, **fields: object) -> None:
        """Change the floor's inner books only."""
        self.floor = msgspec.structs.replace(self.floor, **fields)

    def member(self, user: str) -> Member:
        """Give the member, or a blank one never heard of before."""
        return self.tx.member(user) or Member(user=user)

    def put_member(self, member: Member, **fields: object) -> Member:
        """Write a member with some fields changed."""
        changed = msgspec.structs.replace(member, **fields)
        if changed != member or self.tx.member(member.user) is None:
            self.tx.put_member(changed)
        return changed

    def name_of(self, member: Member) -> str:
        """Give the name a driver hears: the office's, else the member's own, else its id."""
        return self.rules.names.get(member.user) or member.name or member.user

    def reply(self, user: str, message: Message) -> None:
        """Answer a member; not worth delivering after 2 s."""
        self.out.append(Publish(office=self.office, kind=Kind.REPLY, ids=(user,), message=message, expiry_s=2))

    def event(
        self,
        kind: EventType,
        user: str | None = None,
        name: str | None = None,
        event_id: str | None = None,
        **meta: object,
    ) -> None:
        """Log an event of the running session (or of `event_id`)."""
        self.note(event_no=self.floor.event_no + 1)
        event = Event(
            no=self.floor.event_no,
            event=kind,
            at=self.wall_ms,
            event_id=event_id or self.floor.event_id,
            user=user,
            name=name,
            metadata=dict(meta),
        )
        self.tx.append_event(event)
        self.events.append(event)

    def keep_channel_name(self) -> None:
        """Take up the office's channel name where no session runs; one that runs keeps the name it began with."""
        if not self.floor.active and self.floor.channel_name != self.channel_name:
            self.change(channel_name=self.channel_name)

    def announce(self) -> None:
        """Publish the floor as it is in the middle of this turn, before what follows replaces it."""
        self.out.append(session_of(self.office, self.floor))

    def close(self) -> tuple[Publish, ...]:
        """Write the floor where it changed and give what to publish after the commit: replies, session, events."""
        if self.floor != self._stored:
            self.tx.put_floor(self.floor)
        if self._stored is None or self.floor.rev != self._stored.rev:
            self.out.append(session_of(self.office, self.floor))
        self.out.extend(
            Publish(office=self.office, kind=Kind.EVENTS, message=event, event_no=event.no) for event in self.events
        )
        return tuple(self.out)


def session_of(office: OfficeId, floor: Floor) -> Publish:
    """Give the retained announcement of a floor."""
    return Publish(office=office, kind=Kind.SESSION, message=floor.session(), retain=True)
