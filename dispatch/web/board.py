"""What a page shows, as keyed values with versions: whoever has seen version n asks for what changed since. Pure.

Nothing waits for a page: a slow one gets the newest value of each key, however often it changed meanwhile. A key that
is gone is remembered for a while; whoever missed even that gets everything anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

GONE_MAX = 2000
"""So many keys that are gone are remembered."""

Value = dict[str, Any]


class Changes(Struct, frozen=True, kw_only=True):
    """What brings a page to `version`. `whole`: forget what was shown before."""

    version: int
    whole: bool
    put: dict[str, Value]
    gone: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.whole or self.put or self.gone)


class Board:
    """Keys are `<kind>` or `<kind>/<what>`."""

    def __init__(self) -> None:
        self.version = 0
        self._held: OrderedDict[str, tuple[int, Value]] = OrderedDict()  # the one changed last is last
        self._gone: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0

    def get(self, key: str) -> Value | None:
        """Give a value, or None."""
        found = self._held.get(key)
        return None if found is None else found[1]

    def keys(self, kind: str) -> Iterator[str]:
        """Give the keys `<kind>/...`, in the order they changed."""
        return iter([key for key in self._held if key.startswith(f"{kind}/")])

    def put(self, key: str, value: Value) -> bool:
        """Set a value; whether that is a change."""
        held = self._held.get(key)
        if held is not None and held[1] == value:
            return False
        self.version += 1
        self._held[key] = (self.version, value)
        self._held.move_to_end(key)
        self._gone.pop(key, None)
        return True

    def drop(self, key: str) -> bool:
        """Take a key away; whether it was there."""
        if self._held.pop(key, None) is None:
            return False
        self.version += 1
        self._gone[key] = self.version
        self._gone.move_to_end(key)
        if len(self._gone) > GONE_MAX:
            _, self._forgotten = self._gone.popitem(last=False)
        return True

    def since(self, version: int | None, wants: Callable[[str], bool]) -> Changes:
        """Give what changed after `version` among the keys that are wanted; None or one too old: everything."""
        if version is None or version < self._forgotten or version > self.version:
            every = {key: value for key, (_, value) in self._held.items() if wants(key)}
            return Changes(version=self.version, whole=True, put=every)
        put: dict[str, Value] = {}
        for key, (when, value) in reversed(self._held.items()):
            if when <= version:
                break
            if wants(key):
                put[key] = value
        gone = []
        for key, when in reversed(self._gone.items()):
            if when <= version:
                break
            if wants(key):
                gone.append(key)
        return Changes(version=self.version, whole=False, put=dict(reversed(put.items())), gone=tuple(gone))
