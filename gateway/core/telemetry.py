"""How the vehicle is: measured often, told every `every_s` and when it matters; three alerts follow from it."""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.core.alerts import Alerts
from gateway.core.context import Context, Timers
from gateway.core.link import Link
from gateway.core.press_count import PressCount
from gateway.core.words import Machine, Measure
from gateway.core.worker_care import WorkerCare
from protocol.messages import LinkHealth, Telemetry, Throttling
from protocol.topics import Kind

MEASURE_S = 10.0
"""Looked at so often, and never told more often."""
WARMER_C = 5.0
"""A temperature that differs by so much from what was told is told."""
HOT_C, COOL_C = 80.0, 75.0
"""Where the firmware begins to slow down the processor, and where the alert ends."""
SUPPLY_STEADY_S = 60.0
"""A supply that was good for so long is."""
DISK_FULL_MB, DISK_FREE_MB = 50.0, 100.0
"""Less is an alert, until there is more than the second again."""

_BITS = {
    "undervoltage": 0,
    "frequency_capped": 1,
    "throttled": 2,
    "hot": 3,
    "undervoltage_since_boot": 16,
    "frequency_capped_since_boot": 17,
    "throttled_since_boot": 18,
    "hot_since_boot": 19,
}
"""https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"""


class TelemetryRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often monitors are told how this vehicle is."""

    every_s: Annotated[
        float, Meta(ge=10, le=3600, description="Told so often (s), and sooner where something changed that matters")
    ] = 60.0


class TelemetryKeeper:
    """Puts together what the parts and the machine say."""

    def __init__(
        self, ctx: Context, link: Link, worker: WorkerCare, alerts: Alerts, presses: PressCount, rules: TelemetryRules
    ) -> None:
        """Nothing is known yet."""
        self._ctx = ctx
        self._link = link
        self._worker = worker
        self._alerts = alerts
        self._presses = presses
        self._rules = rules
        self._timers = Timers()
        self._began_at = 0.0
        self._supply_bad_at = float("-inf")
        self._told: Telemetry | None = None
        self._told_at = float("-inf")

    def start(self, now: float) -> None:
        """Begin: a fleet that starts at the same hour is spread out."""
        self._began_at = now
        self._timers.set("measure", now + MEASURE_S * self._ctx.chance())

    def connected(self) -> None:
        """The broker may have forgotten it: what is measured next is told."""
        self._told = None

    def ask(self) -> None:
        """Somebody wants it now."""
        self._told = None
        self._told_at = float("-inf")
        self._ctx.emit(Measure())

    def stop(self) -> None:
        """Measure no more."""
        self._timers.stop()

    def tick(self, now: float) -> None:
        """Have the machine measured when due."""
        while self._timers.expire(now) is not None:
            self._ctx.emit(Measure())
            self._timers.set("measure", now + MEASURE_S)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def measured(self, machine: Machine, now: float, wall_ms: int) -> None:
        """Take what the machine says; raise or clear what follows, and tell it if it is time or if it matters."""
        new = self._compose(machine, now, wall_ms)
        self._judge(new, now, wall_ms)
        if not self._ctx.link_up:
            return
        old, age_s = self._told, now - self._told_at
        if old is None or age_s >= self._rules.every_s or (age_s >= MEASURE_S and _matters(old, new)):
            self._told, self._told_at = new, now
            self._ctx.publish(Kind.DEVICE_TELEMETRY, new, token=self._ctx.round_trips.sent(now))

    def _compose(self, machine: Machine, now: float, wall_ms: int) -> Telemetry:
        return Telemetry(
            at=wall_ms,
            uptime_s=max(0.0, now - self._began_at),
            temperature_c=machine.temperature_c,
            throttling=throttling(machine.throttled),
            load_1min=machine.load_1min,
            memory_free_mb=machine.memory_free_mb,
            disk_free_mb=machine.disk_free_mb,
            link=LinkHealth(
                since_s=self._link.up_s(now),
                reconnects=self._link.reconnects,
                rtt_ms=self._ctx.round_trips.median_ms(),
                queue_bytes=machine.queue_bytes,
            ),
            voice=self._worker.health,
            worker_restarts=self._worker.restarts,
            presses=self._presses.counts(),
        )

    def _judge(self, new: Telemetry, now: float, wall_ms: int) -> None:
        supply, celsius, free_mb = new.throttling, new.temperature_c, new.disk_free_mb
        if supply is not None and supply.undervoltage:
            self._supply_bad_at = now
        self._alerts.set("undervoltage", now - self._supply_bad_at < SUPPLY_STEADY_S, wall_ms)
        if celsius is not None and (celsius >= HOT_C or celsius < COOL_C):
            self._alerts.set("overheating", celsius >= HOT_C, wall_ms)
        if free_mb is not None and (free_mb < DISK_FULL_MB or free_mb > DISK_FREE_MB):
            self._alerts.set("disk-full", free_mb < DISK_FULL_MB, wall_ms)


def throttling(bits: int | None) -> Throttling | None:
    """Decode the firmware's bit field; unknown bits are left out."""
    return None if bits is None else Throttling(**{name: bool(bits >> place & 1) for name, place in _BITS.items()})


def _matters(old: Telemetry, new: Telemetry) -> bool:
    before, after = old.voice, new.voice
    voice = (before.worker, before.capture, before.playback, before.link)
    if old.temperature_c is not None and new.temperature_c is not None:
        warmer = abs(old.temperature_c - new.temperature_c) >= WARMER_C
    else:
        warmer = old.temperature_c != new.temperature_c
    return (
        warmer
        or old.throttling != new.throttling
        or old.worker_restarts != new.worker_restarts
        or voice != (after.worker, after.capture, after.playback, after.link)
    )
