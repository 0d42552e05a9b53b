"""An office with a registry's entries on a bench: who is let in, put out, replaced or cloned."""

from msgspec.structs import replace

from dispatch.core.server import RulesChanged
from dispatch.core.state import Entry, OfficeRules
from protocol.messages import (
    Alert,
    FloorRequest,
    Message,
    Presence,
    PresenceState,
)
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench

ONLINE, SLEEPING, OFFLINE, LOST = PresenceState
UNIT, COPY = "unit-0001", "copy-0002"


def entry(uid: int = 0, **more: object) -> Entry:
    return Entry(uid=uid, **more)  # type: ignore[arg-type]


class Office(Bench):
    """A bench with a registry: car-1, car-2 and car-3 belong; `registry` changes what it says."""

    def __init__(self, rules: OfficeRules | None = None, **roll: Entry) -> None:
        named = {name.replace("_", "-"): each for name, each in roll.items()}
        users = {"car-1": entry(101), "car-2": entry(102), "car-3": entry(103), **named}
        super().__init__(replace(rules or OfficeRules(), roll=users))

    def registry(self, **changed: Entry | None) -> None:
        """Change users (None: taken out); underscores stand for hyphens."""
        roll = dict(self.rules.roll or {})
        for name, each in changed.items():
            user = name.replace("_", "-")
            if each is None:
                roll.pop(user)
            else:
                roll[user] = each
        self.change(replace(self.rules, roll=roll))

    def change(self, rules: OfficeRules) -> None:
        self.rules = rules
        self._do(self.server.handle(RulesChanged(office=HQ, rules=rules), self.now, self.wall_ms))

    def come(self, user: str, number: int = 1, generation: int = 1, boot: int = 1, **more: object) -> None:
        said = Presence(
            state=ONLINE,
            connection_id=(generation, boot, 1),
            presence_no=number,
            **more,  # type: ignore[arg-type]
        )
        self.hear(user, said, Kind.PRESENCE)
        self.advance(0.05)

    def ask(self, user: str, press: int, generation: int = 1, boot: int = 1) -> list[Message]:
        return self.hear(user, FloorRequest(request_id=(generation, boot, 1, press)))

    def told(self, user: str) -> Presence:
        """The last presence the server published in the user's name."""
        return self.presences(user)[-1]

    def presences(self, user: str) -> list[Presence]:
        return [p.message for p in self.published if p.kind is Kind.PRESENCE and p.ids == (user,)]  # type: ignore[misc]

    def alerts(self, user: str) -> list[Alert | None]:
        return [p.message for p in self.published if p.kind is Kind.ALERT and p.ids == (user, "clone")]  # type: ignore[misc]


def gone(why: str = "sold", at: int = 5000, **more: object) -> Entry:
    return entry(101, admitted=False, revoked_at=at, revoked_why=why, **more)


def late_replica(office: Office) -> Bench:
    """Another process on the same store, which has not read yet what changes in the registry from here on."""
    return Bench(office.rules, store=office.store, now=office.now)
