"""What time of day it is where the unit is."""

from __future__ import annotations

import time
from typing import Final

_SET_SINCE_S: Final = 1_735_689_600
"""2025-01-01: an earlier time is that of a Pi that has no battery clock and has not reached a time server yet."""


def minute_of_day() -> int | None:
    """Give the local minute, 0 to 1439; None while the clock is not set. The zone is the unit's (timedatectl)."""
    now_s = time.time()
    if now_s < _SET_SINCE_S:
        return None
    local = time.localtime(now_s)
    return 60 * local.tm_hour + local.tm_min
