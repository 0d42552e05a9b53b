"""The plan's five metrics (7.2) of a period: session start, voice token, channel join, participants and heartbeats.
Pure."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from dispatch.history.heartbeats import Beats
from dispatch.history.kpi import TARGETS, Kpi, Target
from dispatch.history.presses import Durations, PressFigures


class Metric(StrEnum):
    """One of the five, as the plan calls it."""

    SESSION_START = "session_start_latency_ms"
    TOKEN = "token_generation_time_ms"
    JOIN = "channel_join_time_ms"
    PARTICIPANTS = "participant_count"
    HEARTBEATS = "heartbeat_success_rate"


METRIC_TARGETS: Final[dict[Metric, Target]] = {Metric.TOKEN: TARGETS[Kpi.TOKEN], Metric.JOIN: TARGETS[Kpi.JOIN]}
"""Those that the plan's KPI table (9.1) has a target for."""


class MetricValue(Struct, frozen=True, kw_only=True):
    """One metric of a period. `value`: ms, members or a part (0 to 1), as its name says; None: not measured."""

    metric: Metric
    value: float | None = None
    p95: float | None = None
    samples: int = 0
    """Of how many bursts, tokens or heartbeats that is the average."""


def plan_metrics(
    presses: PressFigures | None, tokens: Durations | None, beats: Beats | None
) -> tuple[MetricValue, ...]:
    """Give the five, in the plan's order. What nobody measured has no value."""
    pressed, beaten = presses or PressFigures(), beats or Beats()
    return (
        _duration(Metric.SESSION_START, pressed.start),
        _duration(Metric.TOKEN, tokens or Durations()),
        _duration(Metric.JOIN, pressed.join),
        MetricValue(metric=Metric.PARTICIPANTS, value=pressed.participants_average, samples=pressed.participants_known),
        MetricValue(metric=Metric.HEARTBEATS, value=beaten.rate, samples=beaten.expected),
    )


def _duration(metric: Metric, found: Durations) -> MetricValue:
    return MetricValue(metric=metric, value=found.average_ms, p95=found.p95_ms, samples=found.count)
