"""`ptt-lab press | release | levels | watch`: a finger on a vehicle's virtual pins, and an eye on them.

The socket is the one way to key a virtual vehicle: who may open it may press.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hw.virtual_client import VirtualPins

WATCH_S = 86_400.0


def press(socket: Path, signal: str, hold_s: float | None) -> int:
    """Press; with `hold_s` also release after so long, whatever ends it."""
    with VirtualPins(socket) as pins:
        down_s = pins.press(signal)
        if hold_s is None:
            print(f"{signal} down; ptt-lab release {socket}")
            return 0
        print(f"{signal} down for {hold_s:g} s", flush=True)
        try:
            time.sleep(max(0.0, down_s + hold_s - time.monotonic()))
        finally:
            up_s = pins.release(signal)
        print(f"{signal} up after {up_s - down_s:.3f} s")
        return 0


def release(socket: Path, signal: str) -> int:
    """Let go."""
    with VirtualPins(socket) as pins:
        pins.release(signal)
    print(f"{signal} up")
    return 0


def levels(socket: Path) -> int:
    """Print the level of every pin: 1 active, 0 not, between for a duty."""
    with VirtualPins(socket) as pins:
        for signal, level in pins.levels().items():
            print(f"{signal:14} {level:g}")
    return 0


def watch(socket: Path, for_s: float | None) -> int:
    """Print every change of an output until interrupted, or for so long."""
    begin_s = time.monotonic()
    try:
        with VirtualPins(socket) as pins:
            for change in pins.watch(WATCH_S if for_s is None else for_s):
                print(f"{change.at_s - begin_s:10.3f} s  {change.signal:14} {change.level:g}", flush=True)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    return 0
