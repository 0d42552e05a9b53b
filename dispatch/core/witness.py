"""A store that is seen at work: only a transaction that was carried out shows that a store is well again."""

from collections.abc import Callable
from typing import TypeVar

from dispatch.ports import OfficeTx, Store
from protocol.ids import OfficeId
from protocol.messages import Event

T = TypeVar("T")


class Witness:
    """Passes everything on to `store`; `carried_out` counts what succeeded."""

    def __init__(self, store: Store) -> None:
        self.carried_out = 0
        self._store = store

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], T], *, durable: bool) -> T:
        """See `dispatch.ports.Store`."""
        result = self._store.transact(office, fn, durable=durable)
        self.carried_out += 1
        return result

    def unpublished(self, office: OfficeId, limit: int) -> tuple[Event, ...]:
        """See `dispatch.ports.Store`."""
        found = self._store.unpublished(office, limit)
        self.carried_out += 1
        return found

    def mark_published(self, office: OfficeId, numbers: tuple[int, ...]) -> None:
        """See `dispatch.ports.Store`."""
        self._store.mark_published(office, numbers)
        self.carried_out += 1
