"""The bench's own floor for cues: virtual pins and their server alone, the red light following the button.

`python -m lab.bench.pin_echo SOCKET` serves until it is ended, and prints `ready` first.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from hw.hardware import HardwareSettings, open_hardware


def main(argv: list[str]) -> int:
    """Run it."""
    opened = threading.Event()

    def follow(signal: str, active: bool, _at_s: float) -> None:
        if opened.is_set() and signal == "ptt":
            hardware.panel.leds.set(1.0 if active else 0.0, 0.0, 0.0)

    hardware = open_hardware(HardwareSettings(factory="virtual", pins_socket=Path(argv[0])), follow)
    opened.set()
    print("ready", flush=True)
    threading.Event().wait()
    hardware.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
