"""The daemon's one loop: events to the core, the core's effects carried out in order, deadlines kept.

A press: the pin driver's thread hands the edge over (buttons) -> `Inbox` -> `Vehicle.handle` -> the request is on the
socket (broker_link). What others wait for goes first: floor messages, presence and commands to the worker, in the
core's order; then what the driver sees and feels and monitors read; log lines when all else is done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.answers import Answers
from gateway.broker_link import BrokerLink
from gateway.buttons import Buttons
from gateway.chores import Chores
from gateway.core.participant_words import State
from gateway.core.vehicle import Vehicle
from gateway.core.words import (
    AskShutdown,
    Dial,
    Effect,
    FetchToken,
    HangUp,
    InputChanged,
    Keep,
    KeepEmergency,
    KillWorker,
    Measure,
    Note,
    Pressed,
    Publish,
    Received,
    Restart,
    SaveLevels,
    SayHello,
    Show,
    Shutdown,
    StartWorker,
    Tell,
    ToWorker,
)
from gateway.health import Health
from gateway.inbox import Inbox, Item
from gateway.presses import Presses
from gateway.token_client import TokenClient
from gateway.worker_process import WorkerProcess
from protocol.ids import RequestId
from protocol.messages import FloorGranted, FloorRequest
from protocol.topics import Kind
from protocol.worker import Arm
from protocol.worker_settings import WorkerSettings
from service.logs import Log
from service.loop import Loop

HANG_UP_S = 0.2
"""The broker gets so long to take the last word of a unit that must not be the member any more."""

_log = Log("gateway")


class Daemon:
    """Joins the parts; everything of it runs in the loop's thread."""

    def __init__(
        self,
        *,
        loop: Loop,
        inbox: Inbox,
        vehicle: Vehicle,
        link: BrokerLink,
        worker: WorkerProcess,
        buttons: Buttons,
        answers: Answers,
        chores: Chores,
        health: Health,
        rest: TokenClient | None,
        worker_settings: Callable[[StartWorker], WorkerSettings],
        about: dict[str, Any],
    ) -> None:
        """`about`: what the status says that never changes. `rest` asks the office of an enrolled unit."""
        self._loop = loop
        self._inbox = inbox
        self._vehicle = vehicle
        self._link = link
        self._worker = worker
        self._worker_settings = worker_settings
        self._rest = rest
        self._buttons = buttons
        self._answers = answers
        self._health = health
        self._about = about
        self._began_at = time.monotonic()
        self._stopping = False
        self.restart_wanted = False
        """Whether this process ended because it is to be started anew."""
        self.presses = Presses()
        self._carry: dict[type[Effect], Callable[[Any, float], object]] = {
            Publish: self._publish,
            ToWorker: self._to_worker,
            Tell: answers.tell,
            Show: answers.show,
            Dial: lambda effect, now: link.dial(effect),
            HangUp: lambda effect, now: link.close(HANG_UP_S),
            StartWorker: self._start_worker,
            FetchToken: lambda effect, now: self._office().fetch(effect.channel),
            SayHello: lambda effect, now: self._office().hello(),
            KillWorker: lambda effect, now: worker.kill(effect.reason),
            Measure: lambda effect, now: chores.measure(link.queue_bytes),
            Keep: lambda effect, now: chores.keep(effect),
            KeepEmergency: lambda effect, now: chores.keep_emergency(effect),
            SaveLevels: lambda effect, now: chores.save_levels(effect),
            AskShutdown: lambda effect, now: chores.ask_shutdown(effect),
            Restart: lambda effect, now: self._restart(effect),
        }

    def run(self) -> None:
        """Turn until told to stop. An exception of any part leaves it: a programmer's error ends the process."""
        now = time.monotonic()
        self._effects(self._vehicle.start(now, _wall_ms()), now)
        self._inbox.open(self._take)
        self._loop.run(self.step)

    def shut_down(self) -> None:
        """Release the floor, say good-bye, leave `run`. For signal handlers, by `call_soon_threadsafe`."""
        if self._stopping:
            return
        self._stopping = True
        self._health.stopping()
        self._inbox(Shutdown())
        self._answers.safe()
        self._loop.stop()

    def _restart(self, effect: Restart) -> None:
        _log.info("restarting", why=effect.reason)
        self.restart_wanted = True
        self.shut_down()

    def say_goodbye(self, timeout_s: float) -> bool:
        """After `run`: flush and disconnect cleanly; False where the last will has to speak. Blocks ≤ `timeout_s`."""
        return self._link.close(timeout_s)

    def step(self, now: float) -> float | None:
        """End one turn of the loop: do what is due; give when the next turn is wanted."""
        self._buttons.tick(now)
        due = self._vehicle.next_deadline()
        if due is not None and due <= now:
            self._inbox("tick")
        shown = self._answers.next_deadline()
        if shown is not None and shown <= now:
            self._answers.tick(now)
        self._health.step(now)
        times = (
            self._vehicle.next_deadline(),
            self._buttons.next_deadline(),
            self._answers.next_deadline(),
            self._health.next_deadline(),
        )
        return min((at for at in times if at is not None), default=None)

    def status(self, presses: int) -> dict[str, Any]:
        """Give what `ptt-gateway status` shows; times are CLOCK_MONOTONIC seconds."""
        vehicle = self._vehicle
        session = vehicle.session
        return self._about | {
            "pid": os.getpid(),
            "worker_pid": self._worker.pid,
            "now_s": time.monotonic(),
            "uptime_s": time.monotonic() - self._began_at,
            "ready": self._health.ready,
            "says": self._health.status(),
            "link": {
                "up": vehicle.link_up,
                "state": self._link.state,
                "reason": vehicle.membership.why or vehicle.link.reason,
            },
            "barred": vehicle.barred,
            "session": None if session is None else msgspec.to_builtins(session),
            "device": msgspec.to_builtins(vehicle.status()),
            "alerts": vehicle.alerts,
            "transmitting": vehicle.participant.transmitting,
            "sound_devices": [msgspec.to_builtins(device) for device in vehicle.worker.devices.values()],
            "counters": self._link.counters()
            | {
                "discarded": vehicle.participant.discarded,
                "worker_starts": self._worker.starts,
                "worker_undelivered": self._worker.undelivered,
                "loop_refused": self._loop.refused,
            },
            "presses": [msgspec.to_builtins(press) for press in self.presses.newest(presses)],
        }

    # --- inside ------------------------------------------------------------------------------------------------------

    def _take(self, item: Item) -> None:
        """Have the core handle one event, and do what it asks."""
        now = time.monotonic()
        if item == "tick":
            self._effects(self._vehicle.tick(now, _wall_ms()), now)
            return
        if isinstance(item, Pressed) or (isinstance(item, InputChanged) and item.signal == "emergency" and item.active):
            self.presses.edge(item.at, now)
        effects = self._vehicle.handle(item, now, _wall_ms())
        granted = None
        if isinstance(item, Received) and isinstance(item.message, FloorGranted):
            granted = item.message.request_id
        self._effects(effects, now, granted)

    def _effects(self, effects: tuple[Effect, ...], now: float, granted: RequestId | None = None) -> None:
        later = []
        arm: ToWorker | None = None
        for effect in effects:
            if _can_wait(effect):
                later.append(effect)
            elif isinstance(effect, ToWorker) and isinstance(effect.command, Arm):
                arm = effect  # the request goes first: waking the worker costs as much again, and the edge is in it
            else:
                if arm is not None and isinstance(effect, ToWorker):
                    self._to_worker(arm, now)
                    arm = None
                self._carry[type(effect)](effect, now)
        if arm is not None:
            self._to_worker(arm, now)
        if granted is not None:
            self.presses.granted(granted, self._link.granted_at, time.monotonic())
        participant = self._vehicle.participant
        self._answers.transmitting(participant.transmitting and participant.state is State.HAS_PERMISSION)
        for effect in later:
            if not isinstance(effect, Note):
                self._carry[type(effect)](effect, now)
        for effect in later:
            if isinstance(effect, Note | Tell):
                self._write(effect, now)

    def _publish(self, effect: Publish, now: float) -> None:
        self._link.publish(effect)
        if effect.kind is Kind.FLOOR and isinstance(effect.message, FloorRequest):
            self.presses.sent(effect.message.request_id, time.monotonic())

    def _to_worker(self, effect: ToWorker, now: float) -> None:
        self._worker.send(effect.command)
        if isinstance(effect.command, Arm):
            self.presses.begun(effect.command.request_id[3])

    def _start_worker(self, effect: StartWorker, now: float) -> None:
        self._worker.prepare(self._worker_settings(effect))
        self._worker.start()

    def _office(self) -> TokenClient:
        if self._rest is None:
            raise RuntimeError("the core asks the office of a unit that is not enrolled")
        return self._rest

    def _write(self, line: Note | Tell, now: float) -> None:
        if isinstance(line, Note):
            (_log.warning if line.warning else _log.info)(line.text, **line.fields)
            return
        fields: dict[str, object] = {"what": line.what.value}
        if line.press_no:
            press = self.presses.told(line.press_no, line.what.value, now)
            fields |= {"press_no": line.press_no, "after_edge_ms": (now - press.edge_at) * 1000}
        _log.info("driver told", **fields)


def _can_wait(effect: Effect) -> bool:
    """Whether nobody but a person waits for it."""
    return isinstance(effect, Tell | Show | Note) or (isinstance(effect, Publish) and effect.kind in _FOR_MONITORS)


_FOR_MONITORS = frozenset(
    {
        Kind.DEVICE_STATE,
        Kind.DEVICE_INFO,
        Kind.ALERT,
        Kind.DEVICE_TELEMETRY,
        Kind.DEVICE_TRACE,
        Kind.COMMAND_REPLY,
    }
)


def _wall_ms() -> int:
    return int(time.time() * 1000)
