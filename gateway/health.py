"""What systemd is told: READY once it works or says why not, WATCHDOG while it is sound, STATUS in one true line."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.broker_link import BrokerLink
from gateway.core.vehicle import Vehicle
from protocol.worker import Device
from service.logs import Log
from service.systemd import Notifier

WORKER_WAIT_S = 3.0
"""A start is complete without the voice worker's word after this time."""

_log = Log("gateway.health")


class Health:
    """Judges the process from inside its loop; `step` is part of every turn."""

    def __init__(
        self, notifier: Notifier, vehicle: Vehicle, link: BrokerLink, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        self._notifier = notifier
        self._vehicle = vehicle
        self._link = link
        self._on_ready = on_ready
        self._ready = False
        self._feed_at = float("-inf")
        self._sane = True
        self._status: tuple[object, ...] = ()
        self._began_at = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether READY was said."""
        return self._ready

    def step(self, now: float) -> None:
        """Say what is due."""
        if not self._ready:
            self._judge_start(now)
        self._tell_status()
        interval_s = self._notifier.watchdog_interval_s
        if interval_s is not None and now >= self._feed_at:
            self._feed_at = now + interval_s
            if self.sound(now):
                self._notifier.watchdog()

    def next_deadline(self) -> float | None:
        """Give when `step` has something to do by the clock alone."""
        times = []
        if not self._ready:
            times.append(self._began_at + WORKER_WAIT_S)
        if self._notifier.watchdog_interval_s is not None:
            times.append(self._feed_at)
        return min(times, default=None)

    def sound(self, now: float) -> bool:
        """Whether link and worker are there, or somebody is still going to bring them back."""
        vehicle = self._vehicle
        link = vehicle.barred or self._link.sane(now, vehicle.link.waits_to_dial)
        worker = vehicle.worker.state != "down" or vehicle.worker.next_deadline() is not None
        sane = link and worker
        if sane is not self._sane:
            self._sane = sane
            if not sane:
                _log.error("unsound, the watchdog goes hungry", link=link, worker=worker)
        return sane

    def stopping(self) -> None:
        """An orderly stop began."""
        self._notifier.stopping()
        self._notifier.status("stopping")

    def status(self) -> str:
        """Give the truth in one line."""
        vehicle = self._vehicle
        link = "link up" if vehicle.link_up else f"NO LINK ({vehicle.membership.why or vehicle.link.reason})"
        if vehicle.barred:
            return f"NOT ENROLLED ({vehicle.membership.why}); {self._voice()}"
        return f"{link}; {self._voice()}; {self._floor()}"

    def _voice(self) -> str:
        worker = self._vehicle.worker
        if worker.state != "ok":
            return f"voice {worker.state}"
        missing = [device.device.value for device in worker.devices.values() if not device.ok]
        if len(worker.devices) < len(Device):
            return "voice: opening sound devices"
        if missing:
            return f"voice: no {' and no '.join(missing)}"
        return "voice ok" if worker.link else "voice: no connection"

    def _floor(self) -> str:
        vehicle = self._vehicle
        state = vehicle.participant.state.value
        session = vehicle.session
        if vehicle.participant.talk is not None:
            return state
        if session is None or not session.active:
            return f"{state}; no session"
        speaker = session.speaker_name or session.current_speaker
        return f"{state}; {speaker} speaks" if speaker else f"{state}; session open, nobody speaks"

    def _judge_start(self, now: float) -> None:
        vehicle = self._vehicle
        silent = vehicle.worker.state == "starting"
        if (self._link.dials == 0 and not vehicle.barred) or (silent and now < self._began_at + WORKER_WAIT_S):
            return
        if silent:
            _log.warning("ready without the voice worker: it has said nothing yet", waited_s=WORKER_WAIT_S)
        self._ready = True
        self._on_ready()
        self._tell_status()
        self._notifier.ready()

    def _tell_status(self) -> None:
        if not self._notifier.active:
            return
        vehicle = self._vehicle
        worker = vehicle.worker
        key = (
            vehicle.link_up,
            vehicle.link.reason,
            vehicle.membership.why,
            worker.state,
            worker.link,
            tuple(device.ok for device in worker.devices.values()),
            vehicle.participant.state,
            vehicle.participant.talk is None,
            None if vehicle.session is None else vehicle.session.rev,
        )
        if key != self._status:
            self._status = key
            self._notifier.status(self.status())
