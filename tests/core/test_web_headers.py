"""A stream may last for weeks as long as it is read; every other answer has its deadline."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dispatch.rest.http import BoundedProtocol
from dispatch.web.headers import StreamingProtocol


class Line:
    """A connection in the middle of an answer, as far as its deadline asks."""

    def __init__(self, path: str, *, whole: bool = False) -> None:
        self.aborted = 0
        self.armed = 0
        self.protocol: Any = StreamingProtocol.__new__(StreamingProtocol)
        self.protocol.cycle = SimpleNamespace(response_started=True, response_complete=whole, scope={"path": path})
        self.protocol.flow = SimpleNamespace(write_paused=False)
        self.protocol.transport = SimpleNamespace(abort=self._abort)
        self.protocol.loop = SimpleNamespace(call_later=self._arm)

    def _abort(self) -> None:
        self.aborted += 1

    def _arm(self, _after_s: float, _fn: object) -> None:
        self.armed += 1


def test_a_stream_that_is_read_goes_on() -> None:
    line = Line("/live")
    for _ in range(100):
        line.protocol._late()

    assert (line.aborted, line.armed) == (0, 100)


def test_a_stream_that_is_not_read_twice_in_a_row_is_cut_off() -> None:
    line = Line("/live")
    for paused in (True, False, True):
        line.protocol.flow.write_paused = paused
        line.protocol._late()
    assert line.aborted == 0

    line.protocol._late()

    assert line.aborted == 1


@pytest.mark.parametrize("line", [Line("/"), Line("/live", whole=True)], ids=["a-page", "a-stream-that-is-over"])
def test_any_other_answer_has_the_deadline_of_all(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[object] = []
    monkeypatch.setattr(BoundedProtocol, "_late", lambda self: late.append(self))

    line.protocol._late()

    assert late == [line.protocol]
