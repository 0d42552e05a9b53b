"""The plan's five metrics of the last hour at each office, for `/metrics`: read now and then, and never for long."""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from dispatch.history.heartbeats import LOST, count_beats, total
from dispatch.history.plan_metrics import Metric, MetricValue, plan_metrics
from dispatch.history.presses import count_presses, durations
from dispatch.store.reader import StoreReader
from dispatch.traces.reader import TraceReader
from protocol.ids import OfficeId

WINDOW_S = 3600
EVERY_S = 60.0
LOAD = 20
"""Between two readings of an office lies so many times as long as one took."""


class HourMetrics(Struct, frozen=True, kw_only=True):
    """The last hour of one office."""

    metrics: Sequence[MetricValue] = ()
    """The plan's five; those not measured have no value."""
    first_heard_ms: float | None = None
    """From the button's edge until the first other member heard it, average."""

    def value(self, metric: Metric) -> float | None:
        """Give one of the five."""
        return next((one.value for one in self.metrics if one.metric is metric), None)


class MetricWatch:
    """Remembers what was read last. Times are of `clock`, s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[OfficeId, HourMetrics] = {}
        self._due: dict[OfficeId, float] = {}

    def known(self, office: OfficeId) -> HourMetrics:
        """Give what was read last."""
        return self._known.get(office, HourMetrics())

    def read(self, reader: StoreReader, office: OfficeId, wall_ms: int) -> None:
        """Read an office's anew where that is due. Raises StoreUnavailable."""
        began = self._clock()
        if began < self._due.get(office, began):
            return
        since_ms = wall_ms - WINDOW_S * 1000
        traces = TraceReader(reader)
        presses = count_presses(traces.presses(office, since_ms, wall_ms))
        beats = count_beats(
            traces.beats(office, since_ms, wall_ms), reader.events(office, types=LOST, since_ms=since_ms)
        )
        tokens = durations(took_ms for _, took_ms in traces.tokens(office, None, since_ms, wall_ms))
        self._known[office] = HourMetrics(
            metrics=plan_metrics(presses, tokens, total(beats)), first_heard_ms=presses.notice.average_ms
        )
        ended = self._clock()
        self._due[office] = ended + max(EVERY_S, LOAD * (ended - began))
