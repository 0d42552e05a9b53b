"""What is wrong with this vehicle, as far as it can see: voice worker, sound devices, voice link, Agora."""

from gateway.core.agora_care import AgoraCare
from gateway.core.alerts import Alerts
from gateway.core.context import Context, Timers
from gateway.core.tokens import Tokens
from gateway.core.worker_care import WorkerCare
from protocol.worker import Device

VOICE_LINK_AFTER_S = 5.0
"""A voice connection that stays down this long while control is up is an alert: the broker refuses the second one."""


class SelfCheck:
    """Raises and clears the alerts that follow from the state of the other parts."""

    def __init__(self, ctx: Context, alerts: Alerts, worker: WorkerCare, agora: AgoraCare, tokens: Tokens) -> None:
        """Look at these parts."""
        self._ctx = ctx
        self._alerts = alerts
        self._worker = worker
        self._agora = agora
        self._tokens = tokens
        self._timers = Timers()

    def tick(self, now: float, wall_ms: int) -> None:
        """Do what is due."""
        if self._timers.expire(now) is not None:
            self._alerts.set("voice-link", True, wall_ms)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def look(self, now: float, wall_ms: int) -> None:
        """After every event."""
        worker, alerts = self._worker, self._alerts
        running = worker.state == "ok"
        for device, alert in ((Device.CAPTURE, "microphone"), (Device.PLAYBACK, "speaker")):
            known = worker.devices.get(device)
            if running and known is not None:
                alerts.set(alert, not known.ok, wall_ms)
        alerts.set("voice-worker", worker.state == "down" and not worker.replacing, wall_ms)
        alerts.say("agora", worker.crashed_with_agora or self._agora.trouble, wall_ms)
        alerts.say("agora-token", self._tokens.trouble, wall_ms)
        alerts.say("voice-flood", self._agora.floods, wall_ms)
        alerts.say("speech", worker.speech_trouble, wall_ms)
        if not (running and self._ctx.link_up and not worker.link):
            self._timers.stop("voice link")
            alerts.set("voice-link", False, wall_ms)
        elif not self._timers.running("voice link"):
            self._timers.set("voice link", now + VOICE_LINK_AFTER_S)
