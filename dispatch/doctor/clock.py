"""This machine's clock: is it kept by the network, and could it be right at all?"""

import ctypes
import datetime as dt
from collections.abc import Callable, Iterable

from msgspec import Struct

from dispatch.doctor.rows import Row, bad, ok, warn

TIME_ERROR = 5
"""What the kernel answers while nobody keeps its clock."""
_TIMEX_BYTES = 512
_MAX_ERROR_AT = 3
"""Place of `maxerror` (microseconds) in struct timex, counted in longs."""
ERROR_WARN_S = 1.0
BUILT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""The program is younger than that: a clock before it is wrong."""


class Kept(Struct, frozen=True, kw_only=True):
    """What the kernel says of its clock."""

    synchronized: bool
    error_s: float
    """The most it may be wrong, as whoever keeps it says."""


def ask_kernel() -> Kept | None:
    """Ask adjtimex(2), changing nothing; None where this machine does not tell."""
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    timex = (ctypes.c_long * (_TIMEX_BYTES // ctypes.sizeof(ctypes.c_long)))()
    state = int(call(timex))
    if state < 0:
        return None
    return Kept(synchronized=state != TIME_ERROR, error_s=timex[_MAX_ERROR_AT] / 1_000_000)


def look(now: dt.datetime, kept: Callable[[], Kept | None] = ask_kernel) -> Iterable[Row]:
    """Give the rows; `now` is aware."""
    local = now.astimezone()
    shown = {"now": local.strftime("%Y-%m-%d %H:%M:%S"), "zone": local.strftime("%z")}
    found = kept()
    if now < BUILT:
        yield bad("clock", "clock_past", **shown)
    elif found is None:
        yield warn("clock", "clock_unknown", **shown)
    elif not found.synchronized:
        yield warn("clock", "clock_alone", **shown)
    elif found.error_s > ERROR_WARN_S:
        yield warn("clock", "clock_loose", error=f"{found.error_s:.1f}", **shown)
    else:
        yield ok("clock", "clock", error=f"{found.error_s * 1000:.0f}", **shown)
