"""The story: who presses when, and what must follow. It does what drivers and monitors can do, and nothing else."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

from hw.virtual_client import VirtualPins
from lab.demo.eyes import HANG_S, STEP_S, BrokeOff
from lab.demo.outcome import Outcome
from lab.demo.script import DESK, Script
from lab.demo.stage import SPEECH_S, Stage, sleep_until
from lab.demo.tape import Microphone
from lab.demo.timeline import Timeline
from lab.demo.voice_gate import VoiceGate
from lab.demo.watch import Monitor, follow_log, watch_outputs
from lab.demo.world import OFFICE, World
from lab.measure.sound import RATE_HZ
from protocol.messages import Event, EventType, Presence, Session

AFTER_SPEECH_S = 0.25
"""The button goes up so long after the last syllable."""
ANSWER_AFTER_S = 0.9
REFUSED_AT = 0.3
"""Where in the first talk the refused press comes, as a share of it."""
DESK_REFUSED_AFTER_S = 0.5
"""The call manager's refused press comes so long after the first syllable of the reply."""
KILL_AT = 0.55
AFTER_HANDOVER_S = 0.8
DRAIN_S = 0.9
"""After the last release, ears are recorded so long."""


class Story(Stage):
    """Plays it once; raises LabFailed where something does not follow."""

    def __init__(self, world: World, script: Script, timeline: Timeline, stack: ExitStack) -> None:
        super().__init__(world, script, timeline)
        self._stack = stack

    def prepare(self) -> None:
        """Wait until everything is ready, and connect to what may be watched."""
        Monitor(self._stack, self._world.office.server_access, OFFICE, self._book)
        self._world.await_ready()
        self._await_members()
        for user, car in self._world.cars.items():
            self._pins[user] = self._stack.enter_context(VirtualPins(car.pins, timeout_s=STEP_S))
            watch_outputs(user, car.pins, self._book)
            follow_log(car.log, partial(self._logged, user), self._stack)
        if self._world.desk is not None:
            self._world.desk.changed = self._book.nudge
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
        self._desk_calls()
        self._kill_and_go_on()
        time.sleep(DRAIN_S)
        self._eyes.check_running()
        self.outcome.messages = len(self._book.heard)
        self.outcome.unreadable = list(self._book.bad)
        for event in {event.no: event for _, _, event in self._book.all(Event)}.values():
            self.outcome.events.setdefault(event.event_id or "", []).append(event.event.value)
        self._line.add(time.monotonic(), "-", "over")
        return self.outcome

    # --- the acts ---------------------------------------------------------------------------------------------

    def _first_talk_and_refusal(self) -> None:
        sound, refused = self._script.sound("first"), self._script.sound("refused")
        start_s = self._lay("car-1", sound)
        length_s = len(sound) / RATE_HZ
        refused_s = self._lay("car-3", refused, start_s + max(1.0, REFUSED_AT * length_s))
        refused_end_s = refused_s + len(refused) / RATE_HZ + 0.1
        end_s = max(start_s + length_s + AFTER_SPEECH_S, refused_end_s + 0.3)
        burst = self._talk("car-1", "first", start_s, self._all_but("car-1"))
        self._await_joins(burst, self._members)
        self._refused("car-3", refused_s, refused_end_s)
        self._await_handover(burst)
        self._key_up(burst, max(end_s, burst.handover_s + AFTER_SPEECH_S))

    def _answer_and_end(self) -> None:
        first = self.outcome.bursts[0]
        self._deny_voice_topics()
        start_s = self._lay("car-2", self._script.sound("answer"), first.idle_s + ANSWER_AFTER_S)
        burst = self._talk("car-2", "answer", start_s, self._all_but("car-2"))
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
            self._members, lambda p: p.in_channel is None, over_s - 0.5, "{} leaves the channel"
        ):
            self.outcome.left[user] = at_s
            self._line.add(at_s, user, "left")

    def _desk_calls(self) -> None:
        """The call manager calls from the browser; car-1 answers, and is not talked over."""
        desk = self._world.desk
        if desk is None:
            return
        call = self._desk_talk(desk, "call", self._all_but(DESK))
        self._await_joins(call, self._members)
        desk.sound.spoken(SPEECH_S)
        sleep_until(time.monotonic() + AFTER_SPEECH_S)
        self._released(call, desk.let_go())
        sound = self._script.sound("reply")
        start_s = self._lay("car-1", sound, call.idle_s + ANSWER_AFTER_S)
        sleep_until(start_s - ANSWER_AFTER_S / 2)
        self.outcome.page_heard = desk.text("heard")
        reply = self._talk("car-1", "reply", start_s, self._all_but("car-1"))
        sleep_until(start_s + DESK_REFUSED_AFTER_S)
        self._desk_refused(desk, "too_soon")
        self._key_up(reply, max(start_s + len(sound) / RATE_HZ, time.monotonic()) + AFTER_SPEECH_S)

    def _all_but(self, *users: str) -> tuple[str, ...]:
        return tuple(user for user in self._members if user not in users)

    def _kill_and_go_on(self) -> None:
        sound = self._script.sound("killed")
        start_s = self._lay("car-2", sound)
        burst = self._talk("car-2", "killed", start_s, self._all_but("car-2"))
        if burst.event_id not in self.outcome.joins:  # else they are in the call manager's session
            self._await_joins(burst, self._members)
        self._await_handover(burst)
        kill_s = start_s + KILL_AT * len(sound) / RATE_HZ
        self._kill(burst, max(kill_s, burst.handover_s + AFTER_HANDOVER_S))
        self._deny_voice_topics()
        start_s = self._lay("car-3", self._script.sound("last"))
        last = self._talk("car-3", "last", start_s, self._all_but("car-2", "car-3"))
        self._key_up(last, start_s + len(self._script.sound("last")) / RATE_HZ + AFTER_SPEECH_S)
