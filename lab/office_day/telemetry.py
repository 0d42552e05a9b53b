"""What a virtual vehicle tells of itself: device, state, telemetry.

Its temperature, load, memory and disk are made up; connection, presses and answers are what was measured.
"""

from __future__ import annotations

from random import Random
from statistics import quantiles

from lab.office_day.member import Member
from lab.office_day.people import Person
from lab.office_day.world import Say
from protocol.messages import DeviceInfo, DeviceState, LinkHealth, PressCounts, Telemetry, VoiceHealth
from protocol.topics import Kind


class Gauges:
    """One vehicle's."""

    def __init__(self, person: Person, rng: Random, now: float) -> None:
        self._user, self._rng, self._since = person.user, rng, now
        self._warm_c = rng.uniform(44, 56)
        self._rtt_ms: float | None = None
        self._disk_mb = rng.uniform(9_000, 24_000)
        self._state: DeviceState | None = None

    def info(self) -> Say:
        """What it is."""
        told = DeviceInfo(
            version="practice",
            python="3.11",
            board="virtual vehicle",
            pins="virtual",
            capture="espeak-ng",
            playback="counted, not played",
        )
        return Say(kind=Kind.DEVICE_INFO, message=told, retain=True)

    def acknowledged(self, took_ms: float) -> None:
        """The broker took so long to acknowledge the last telemetry."""
        self._rtt_ms = round(took_ms, 1)

    def read(self, member: Member, now: float, wall_ms: int) -> tuple[Say, ...]:
        """Its telemetry, and its state where that has changed."""
        rng = self._rng
        self._warm_c += rng.uniform(-0.8, 0.8) + (50 - self._warm_c) * 0.05
        told = Telemetry(
            at=wall_ms,
            uptime_s=now - self._since,
            temperature_c=round(self._warm_c + (31 if "overheating" in member.alerts else 0), 1),
            load_1min=round(rng.uniform(0.15, 0.45), 2),
            memory_free_mb=round(rng.uniform(560, 640)),
            disk_free_mb=42 if "disk-full" in member.alerts else round(self._disk_mb),
            link=LinkHealth(reconnects=max(0, member.reconnects), rtt_ms=self._rtt_ms),
            voice=self._voice(member),
            presses=_presses(member),
        )
        state = self.state(member)
        return (Say(kind=Kind.DEVICE_TELEMETRY, message=told, retain=True), *(() if state is None else (state,)))

    def state(self, member: Member) -> Say | None:
        """Its state, where that has changed."""
        press = member.press
        keyed = press is not None and press.permitted_at is not None and press.key_up_at is None
        floor = "U: has permission" if keyed else "U: has no permission"
        state = DeviceState(floor=floor, keyed=keyed, transmitter_muted=member.muted, voice=self._voice(member))
        if state == self._state:
            return None
        self._state = state
        return Say(kind=Kind.DEVICE_STATE, message=state, retain=True)

    def _voice(self, member: Member) -> VoiceHealth:
        return VoiceHealth(capture="microphone" not in member.alerts, buffer_ms=60)


def _presses(member: Member) -> PressCounts:
    counts = member.counts
    answers = sorted(counts.answers_ms)
    p99 = quantiles(answers, n=100)[98] if len(answers) > 1 else None
    return PressCounts(
        presses=counts.presses,
        granted=counts.granted,
        denied={"denied": counts.denied} if counts.denied else {},
        answer_ms_p50=answers[len(answers) // 2] if answers else None,
        answer_ms_p99=None if p99 is None else max(0.0, round(p99, 1)),
    )
