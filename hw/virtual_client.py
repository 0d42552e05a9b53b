"""The other end of hw.pin_server: presses buttons and watches outputs of a vehicle with virtual pins."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from hw.errors import HardwareError


class OutputChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one output: `level` 0-1 is its drive whatever the polarity, `at_s` time.monotonic().

    `hz` is the frequency of its pulses (a buzzer's pitch), 0 where it is only switched.
    """

    signal: str
    pin: int
    level: float
    at_s: float
    hz: float = 0.0


class VirtualPins:
    """A connection to a pin server, made at once. Not for use by several threads at a time.

    Every method raises HardwareError when there is no server, when it refuses, or when no answer comes in `timeout_s`.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._buffer = b""
        self._socket = self._connect()

    def __enter__(self) -> VirtualPins:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def press(self, signal: str = "ptt") -> float:
        """Press and keep pressed; returns when the pin was driven (time.monotonic() of this machine)."""
        return float(self._ask({"op": "press", "signal": signal})["at_s"])

    def release(self, signal: str = "ptt") -> float:
        """Let go; returns when the pin was driven."""
        return float(self._ask({"op": "release", "signal": signal})["at_s"])

    def set(self, pin: int, level: int) -> float:
        """Put an input's pin (BCM number) at an electrical level; returns when it was driven."""
        return float(self._ask({"op": "set", "pin": pin, "level": level})["at_s"])

    def bounce(self, train: Sequence[tuple[float, int]], signal: str = "ptt") -> list[float]:
        """Drive a train of (delay_ms, active) edges, and wait for its end; returns when each was driven."""
        request = {"op": "bounce", "signal": signal, "train": [list(edge) for edge in train]}
        lasts_s = sum(delay_ms for delay_ms, _ in train) / 1000
        return [float(at_s) for at_s in self._ask(request, extra_s=lasts_s)["at_s"]]

    def levels(self) -> dict[str, float]:
        """All fitted signals: 1 active, 0 inactive, between for a duty."""
        levels: dict[str, float] = self._ask({"op": "levels"})["levels"]
        return levels

    def watch(self, for_s: float, began: Callable[[], object] = lambda: None) -> Iterator[OutputChange]:
        """Yield each change of an output during the next `for_s` seconds, over a connection of its own.

        `began` is called once the server watches; nothing after it is missed. Iterate to begin.
        """
        with VirtualPins(self._path, timeout_s=self._timeout_s) as own:
            own._ask({"op": "watch"})
            began()
            deadline = time.monotonic() + for_s
            while (line := own._line(deadline)) is not None:
                yield msgspec.json.decode(line, type=OutputChange, strict=False)

    def close(self) -> None:
        """End the connection; idempotent. What is pressed stays pressed."""
        self._socket.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            what = f"nobody serves virtual pins at {self._path} ({error.strerror or error})"
            raise HardwareError(what, "start the gateway with that pins socket, as the same user") from error
        return connection

    def _ask(self, request: dict[str, Any], extra_s: float = 0.0) -> dict[str, Any]:
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise self._gone() from error
        line = self._line(time.monotonic() + self._timeout_s + extra_s)
        if line is None:
            raise HardwareError(f"{self._path} does not answer", "is the gateway alive?")
        answer: dict[str, Any] = json.loads(line)
        if not answer.get("ok"):
            raise HardwareError(str(answer.get("error")), str(answer.get("mend")))
        return answer

    def _line(self, deadline: float) -> bytes | None:
        """The next line, or None when it does not come in time."""
        while b"\n" not in self._buffer:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._socket.settimeout(left_s)
            try:
                came = self._socket.recv(65536)
            except TimeoutError:
                return None
            except OSError as error:
                raise self._gone() from error
            if not came:
                raise self._gone()
            self._buffer += came
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _gone(self) -> HardwareError:
        return HardwareError(f"the server at {self._path} ended", "start the gateway again")
