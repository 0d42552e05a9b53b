"""How the last presses were answered, and when: for `ptt-gateway status`, monitors and benchmarks."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from protocol.ids import RequestId

KEPT_MAX = 4096


class Press(Struct, kw_only=True):
    """One press. Times are CLOCK_MONOTONIC seconds of this machine; None where it did not come to that."""

    press_no: int
    edge_at: float
    """The pin's edge."""
    loop_at: float
    """The loop took it up."""
    sent_at: float | None = None
    """The request was handed to the socket."""
    granted_at: float | None = None
    """Floor Granted was read from the socket."""
    handled_at: float | None = None
    """Floor Granted was handled: the worker has its permission."""
    told_at: float | None = None
    """The driver was told for the first time."""
    answer: str | None = None
    """What the driver was told first."""
    last: str | None = None
    """What the driver was told last about it."""


class Presses:
    """The last KEPT_MAX presses by number."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Press] = OrderedDict()
        self._edge = (0.0, 0.0)

    def edge(self, edge_at: float, now: float) -> None:
        """The button went down; its number is not known yet."""
        self._edge = (edge_at, now)

    def sent(self, request_id: RequestId, now: float) -> None:
        """The first request of a press was handed to the socket."""
        press = self._get(request_id[3])
        if press.sent_at is None:
            press.sent_at = now

    def granted(self, request_id: RequestId, granted_at: float | None, now: float) -> None:
        """Its grant was read at `granted_at` and is handled now."""
        press = self._kept.get(request_id[3])
        if press is not None and press.handled_at is None:
            press.granted_at, press.handled_at = granted_at, now

    def told(self, press_no: int, what: str, now: float) -> Press:
        """The driver was told about a press."""
        press = self._get(press_no)
        if press.answer is None:
            press.answer, press.told_at = what, now
        press.last = what
        return press

    def newest(self, count: int) -> list[Press]:
        """Give at most `count` of the last presses, the newest last."""
        return list(self._kept.values())[-count:] if count > 0 else []

    def begun(self, press_no: int) -> None:
        """The press that just came has this number."""
        self._get(press_no)

    def _get(self, press_no: int) -> Press:
        press = self._kept.get(press_no)
        if press is None:
            edge_at, loop_at = self._edge
            press = self._kept[press_no] = Press(press_no=press_no, edge_at=edge_at, loop_at=loop_at)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return press
