"""Interfaces of the office's core to the world behind it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from dispatch.core.state import Floor, Member
from protocol.ids import OfficeId
from protocol.messages import Event

T = TypeVar("T")


class StoreUnavailable(Exception):
    """The store could not carry out a transaction; nothing of it was committed. Says why and how to mend it."""


class OfficeTx(Protocol):
    """One office's rows inside one transaction. What is put is seen by later reads and committed as a whole."""

    @property
    def store_id(self) -> str:
        """Identity of the store, made when it was created."""

    def floor(self) -> Floor | None:
        """Give the floor, or None where this store never served the office."""

    def put_floor(self, floor: Floor) -> None:
        """Write the floor."""

    def member(self, user: str) -> Member | None:
        """Give one member, or None."""

    def members(self) -> tuple[Member, ...]:
        """Give all members, by user."""

    def put_member(self, member: Member) -> None:
        """Write one member."""

    def append_event(self, event: Event) -> None:
        """Add one event to the office's log; its `no` must be new."""


class Store(Protocol):
    """The office's memory, and the judge of its races."""

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], T], *, durable: bool) -> T:
        """Run `fn` alone on the office's rows and commit what it put; its result is given once that is committed.

        `durable` commits survive a power cut (synced to disk before this returns); others may lose the last moments
        then, never their order. `fn` may run again after a serialization conflict, so it must change nothing but the
        transaction. Raises StoreUnavailable; whatever `fn` raises rolls back and is raised.
        """

    def unpublished(self, office: OfficeId, limit: int) -> tuple[Event, ...]:
        """Give the oldest events not yet marked as published, at most `limit`."""

    def mark_published(self, office: OfficeId, numbers: tuple[int, ...]) -> None:
        """Remember that these events reached the broker; losing this repeats some, never drops any."""


class Doors(Protocol):
    """What keeps the doors, beside the floor, on the same connection (`dispatch.admission.Admission`)."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics of its own, subscribed to with QoS 0."""

    def connected(self, now: float) -> None:
        """The broker is there and `topics` are subscribed to."""

    def lost(self) -> None:
        """The broker is gone."""

    def received(self, topic: str, payload: bytes) -> None:
        """A message on one of `topics`."""

    def clone(self, office: OfficeId, user: str, hardware: str) -> None:
        """Another unit came under this user."""
