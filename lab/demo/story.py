"""The story: who presses when, and what must follow. It does what drivers and monitors can do, and nothing else."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from hw.virtual_client import VirtualPins
from lab.demo.agora import DELAY_S
from lab.demo.eyes import FOLLOW_S, HANG_S, STEP_S, BrokeOff, Eyes, pulses
from lab.demo.outcome import Burst, Outcome, Refusal
from lab.demo.script import NAMES, Script
from lab.demo.tape import Microphone, TooLate, epochs
from lab.demo.timeline import Timeline
from lab.demo.voice_gate import VoiceGate
from lab.demo.watch import Monitor, follow_log, watch_outputs
from lab.demo.world import OFFICE, World
from lab.measure.sound import RATE_HZ, Sound
from protocol.messages import (
    Ended,
    Event,
    EventType,
    FloorDeny,
    Presence,
    PresenceState,
    Session,
)

T = TypeVar("T")

EDGE_BEFORE_S = 0.015
"""The button goes down so long before the first syllable: as near as a finger and a mouth can be."""
AFTER_SPEECH_S = 0.25
"""The button goes up so long after the last."""
ANSWER_AFTER_S = 0.9
REFUSED_AT = 0.3
"""Where in the first talk the refused press comes, as a share of it."""
KILL_AT = 0.55
AFTER_HANDOVER_S = 0.8
DRAIN_S = 0.9
"""After the last release, ears are recorded so long."""
LAY_TRIES = 5


class Story:
    """Plays it once; raises LabFailed where something does not follow."""

    def __init__(self, world: World, script: Script, timeline: Timeline, stack: ExitStack) -> None:
        self._world = world
        self._script = script
        self._line = timeline
        self._stack = stack
        self._pins: dict[str, VirtualPins] = {}
        self._handed: list[tuple[float, str]] = []
        self.outcome = Outcome(bursts=[], refusals=[], joins={}, left={}, events={}, follows=[])
        self._eyes = Eyes(world, self.outcome)
        self.notebook = self._book = self._eyes.book
        self._gate: VoiceGate | None = None
        self._soon_s = 0.0
        """Time between a decision to speak and the first syllable."""

    def prepare(self) -> None:
        """Wait until everything is ready, and connect to what may be watched."""
        Monitor(self._stack, self._world.office.server_access, OFFICE, self._book)
        self._world.await_ready()
        self._await_members()
        for user, car in self._world.cars.items():
            self._pins[user] = self._stack.enter_context(VirtualPins(car.pins, timeout_s=STEP_S))
            watch_outputs(user, car.pins, self._book)
            follow_log(car.log, partial(self._logged, user), self._stack)
        if self._world.agora is not None:
            access = self._world.office.server_access
            self._gate = VoiceGate(self._stack, access, OFFICE, tuple(self._world.cars))
        self._line.add(time.monotonic(), "-", "ready")

    def play(self, tapes: dict[str, Microphone]) -> Outcome:
        """Play it."""
        for user, microphone in tapes.items():
            self._world.cars[user].microphone = microphone
            self._soon_s = max(self._soon_s, microphone.lead_s + 0.1)
        self._first_talk_and_refusal()
        self._answer_and_end()
        self._kill_and_go_on()
        time.sleep(DRAIN_S)
        self._eyes.check_running()
        self.outcome.messages = len(self._book.heard)
        self.outcome.unreadable = list(self._book.bad)
        for event in {event.no: event for _, _, event in self._book.all(Event)}.values():
            self.outcome.events.setdefault(event.event_id or "", []).append(event.event.value)
        self._line.add(time.monotonic(), "-", "over")
        return self.outcome

    # --- the three acts ---------------------------------------------------------------------------------------------

    def _first_talk_and_refusal(self) -> None:
        sound, refused = self._script.sound("first"), self._script.sound("refused")
        start_s = self._lay("car-1", sound)
        length_s = len(sound) / RATE_HZ
        refused_s = self._lay("car-3", refused, start_s + max(1.0, REFUSED_AT * length_s))
        refused_end_s = refused_s + len(refused) / RATE_HZ + 0.1
        end_s = max(start_s + length_s + AFTER_SPEECH_S, refused_end_s + 0.3)
        burst = self._talk("car-1", "first", start_s, ("car-2", "car-3"))
        self._await_joins(burst, ("car-1", "car-2", "car-3"))
        self._refused("car-3", refused_s, refused_end_s)
        self._await_handover(burst)
        self._key_up(burst, max(end_s, burst.handover_s + AFTER_SPEECH_S))

    def _answer_and_end(self) -> None:
        first = self.outcome.bursts[0]
        self._deny_voice_topics()
        start_s = self._lay("car-2", self._script.sound("answer"), first.idle_s + ANSWER_AFTER_S)
        burst = self._talk("car-2", "answer", start_s, ("car-1", "car-3"))
        if burst.event_id != first.event_id:
            raise BrokeOff("car-2's answer within the hang time opened another session", first.idle_s)
        self._key_up(burst, start_s + len(self._script.sound("answer")) / RATE_HZ + AFTER_SPEECH_S)
        moves = [
            event
            for _, _, event in self._book.all(Event, burst.edge_s, burst.idle_s)
            if event.event in (EventType.USER_JOINED, EventType.USER_LEFT, EventType.SESSION_STARTED)
        ]
        changed = [user for _, user, p in self._book.all(Presence, burst.edge_s, burst.idle_s) if p.in_channel is None]
        self.outcome.answer_joins = len(moves) + len(changed)
        self._line.add(burst.idle_s, "car-2", "answer", joins=self.outcome.answer_joins)
        over_s, _ = self._eyes.first(
            Session, lambda s: not s.active, burst.idle_s, "the session ends after its hang time", within_s=HANG_S
        )
        self.outcome.session_over_s = over_s
        self._line.add(over_s, "office", "session_over", after_s=over_s - burst.idle_s)
        if self._gate is not None:
            self._gate.open()  # while a session's channels are being joined, MQTT voice is how it is heard
        for user, at_s in self._eyes.each(
            tuple(self._world.cars), lambda p: p.in_channel is None, over_s - 0.5, "{} leaves the channel"
        ):
            self.outcome.left[user] = at_s
            self._line.add(at_s, user, "left")

    def _kill_and_go_on(self) -> None:
        sound = self._script.sound("killed")
        start_s = self._lay("car-2", sound)
        burst = self._talk("car-2", "killed", start_s, ("car-1", "car-3"))
        self._await_joins(burst, ("car-1", "car-2", "car-3"))
        self._await_handover(burst)
        kill_s = start_s + KILL_AT * len(sound) / RATE_HZ
        self._kill(burst, max(kill_s, burst.handover_s + AFTER_HANDOVER_S))
        self._deny_voice_topics()
        start_s = self._lay("car-3", self._script.sound("last"))
        last = self._talk("car-3", "last", start_s, ("car-1",))
        self._key_up(last, start_s + len(self._script.sound("last")) / RATE_HZ + AFTER_SPEECH_S)

    # --- what drivers do ----------------------------------------------------------------------------------------------

    def _lay(self, user: str, sound: Sound, not_before_s: float = 0.0) -> float:
        """Lay a sentence onto the tape, as soon as it can be; gives when its first syllable is."""
        car = self._world.cars[user]
        assert car.microphone is not None
        epoch_s = epochs(car.played)[1]
        for left in reversed(range(LAY_TRIES)):
            at_s = max(not_before_s, time.monotonic() + self._soon_s)
            try:
                car.microphone.say(sound, at_s, epoch_s)
            except TooLate:  # we were not let run meanwhile
                if not left:
                    raise
            else:
                return at_s
        raise AssertionError("it was laid, or it was too late")

    def _talk(self, user: str, part: str, start_s: float, listeners: tuple[str, ...]) -> Burst:
        """Press just before the first syllable, and see the grant."""
        _sleep_until(start_s - EDGE_BEFORE_S)
        edge_s = self._pins[user].press()
        text = self._script.text(part)
        self._line.add(edge_s, user, "pressed", said=text)
        at_s, session = self._eyes.first(
            Session,
            lambda s: s.current_speaker == user and s.active,
            edge_s,
            f"the office announces {user} as the speaker",
        )
        press = self._eyes.answered(user, edge_s, "granted")
        n = len(self.outcome.bursts) + 1
        burst = Burst(
            n=n,
            speaker=user,
            number=session.burst,
            event_id=session.event_id or "",
            text=text,
            listeners=listeners,
            edge_s=press["edge_at"],
            handled_s=press["handled_at"],
            told_s=press["told_at"],
        )
        self.outcome.bursts.append(burst)
        told = self._eyes.told(user, edge_s, red=True)
        granted_ms = (burst.handled_s - burst.edge_s) * 1000
        self._line.add(burst.handled_s, user, "granted", burst_n=n, granted_ms=granted_ms, told=told)
        if n == 1 or burst.event_id != self.outcome.bursts[-2].event_id:
            self._line.add(at_s, "office", "session", speaker=session.speaker_name or user)
        return burst

    def _refused(self, user: str, start_s: float, end_s: float) -> None:
        _sleep_until(start_s - EDGE_BEFORE_S)
        edge_s = self._pins[user].press()
        text = self._script.text("refused")
        self._line.add(edge_s, user, "pressed", said=text)
        _, deny = self._eyes.first(FloorDeny, lambda _: True, edge_s, f"{user} is refused", user)
        press = self._eyes.answered(user, edge_s, "denied")
        told = self._eyes.told(user, edge_s, red=False)
        self._line.add(
            press["told_at"],
            user,
            "denied",
            name=deny.speaker_name,
            remaining_s=deny.remaining_s or 0.0,
            cause=deny.cause.value,
            told=told,
        )
        _sleep_until(end_s)
        up_s = self._pins[user].release()
        self._line.add(up_s, user, "released")
        motor = tuple(pulses(self._book, user, edge_s))
        self.outcome.refusals.append(
            Refusal(
                user=user,
                text=text,
                edge_s=edge_s,
                end_s=up_s,
                deny=deny,
                told_s=press["told_at"],
                motor_ms=motor,
            )
        )

    def _key_up(self, burst: Burst, at_s: float) -> None:
        _sleep_until(at_s)
        burst.end_s = self._pins[burst.speaker].release()
        self._line.add(burst.end_s, burst.speaker, "released")
        self._idle(burst, burst.end_s)
        self._line.add(burst.idle_s, "office", "idle", burst_n=burst.n, ended=burst.ended)

    def _kill(self, burst: Burst, at_s: float) -> None:
        process = self._world.cars[burst.speaker].process
        assert process is not None
        _sleep_until(at_s)
        burst.killed = True
        process.kill()
        burst.end_s = self.outcome.kill_s = time.monotonic()
        self._line.add(burst.end_s, burst.speaker, "killed")
        self._idle(burst, burst.end_s)
        self.outcome.kill_idle_ms = (burst.idle_s - burst.end_s) * 1000
        self._line.add(burst.idle_s, "office", "freed", after_ms=self.outcome.kill_idle_ms, ended=burst.ended)
        _, presence = self._eyes.first(
            Presence,
            lambda p: p.state is not PresenceState.ONLINE,
            burst.end_s,
            f"{burst.speaker}'s presence tells that it is gone",
            burst.speaker,
        )
        self.outcome.dead_presence = presence.state.value

    def _await_handover(self, burst: Burst) -> None:
        """Over Agora: see the burst leave MQTT voice, and from then on let none pass at the broker."""
        if self._gate is None:
            return
        mark = f"burst={burst.number} "
        found = self._book.wait(
            lambda: next((at_s for at_s, line in self._handed if mark in f"{line} " and "mqtt=False" in line), None),
            STEP_S,
        )
        if found is None:
            raise BrokeOff(f"burst {burst.n} was not handed over to Agora within {STEP_S:.0f} s", burst.edge_s)
        self._eyes.follows(f"burst {burst.n} is handed over to Agora", burst.edge_s, found, FOLLOW_S)
        burst.handover_s = found
        burst.slower_s = DELAY_S
        self._deny_voice_topics()
        burst.denied_after = self._gate.frames.get(burst.number, 0)
        self._line.add(found, burst.speaker, "handover", after_ms=(found - burst.handled_s) * 1000)

    def _deny_voice_topics(self) -> None:
        if self._gate is not None:
            self._gate.shut()

    # --- what is seen -------------------------------------------------------------------------------------------------

    def _idle(self, burst: Burst, since_s: float) -> None:
        burst.idle_s, session = self._eyes.first(
            Session,
            lambda s: s.burst == burst.number and s.current_speaker is None,
            since_s,
            f"the floor is idle after burst {burst.n}",
        )
        ended = session.ended
        burst.ended = "" if ended is None else ended.value
        burst.last_seq = session.last_seq
        if self._gate is not None:
            burst.carried = self._gate.frames.get(burst.number, 0)
        wanted = Ended.LOST if burst.killed else Ended.RELEASED
        if ended is not wanted:
            what = f"burst {burst.n} ended as {burst.ended or 'nothing'}, not as {wanted.value}"
            raise BrokeOff(what, burst.edge_s)

    def _await_joins(self, burst: Burst, users: tuple[str, ...]) -> None:
        joins = self.outcome.joins.setdefault(burst.event_id, {})
        for user, at_s in self._eyes.each(
            users, lambda p: p.in_channel == burst.event_id, burst.edge_s, "{} joins the session by itself"
        ):
            joins[user] = (at_s - burst.handled_s) * 1000
            self._line.add(at_s, user, "joined", after_ms=joins[user])

    def _await_members(self) -> None:
        users = tuple(self._world.cars)
        for _ in self._eyes.each(users, lambda p: p.state is PresenceState.ONLINE, 0.0, "{} is online"):
            pass

    def _logged(self, user: str, line: str) -> None:
        if "voice handed over" in line:
            self._handed.append((time.monotonic(), line))
        if "burst heard" in line and (speaker := re.search(r"speaker=(\S+)", line)):
            self._line.add(time.monotonic(), user, "hears", speaker=NAMES.get(speaker[1], speaker[1]))


def _sleep_until(at_s: float) -> None:
    while (left_s := at_s - time.monotonic()) > 0:
        time.sleep(min(left_s, 0.1) if left_s > 0.002 else left_s)
