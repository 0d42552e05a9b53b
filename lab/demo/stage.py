"""What can be done and seen on the demo's stage: buttons, sentences, kills, and what the office says to each."""

from __future__ import annotations

import re
import time

from hw.virtual_client import VirtualPins
from lab.demo.agora import DELAY_S
from lab.demo.desk import Desk
from lab.demo.eyes import FOLLOW_S, STEP_S, BrokeOff, Eyes, pulses
from lab.demo.outcome import Burst, Outcome, Refusal
from lab.demo.script import DESK, VOICES, Script
from lab.demo.tape import TooLate, epochs
from lab.demo.timeline import Timeline
from lab.demo.voice_gate import VoiceGate
from lab.demo.world import World
from lab.measure.sound import Sound
from protocol.messages import Ended, FloorDeny, Presence, PresenceState, Session

EDGE_BEFORE_S = 0.015
"""The button goes down so long before the first syllable: as near as a finger and a mouth can be."""
LAY_TRIES = 5
PAGE_S = 2.0
"""So soon the page tells what it is told, once it was told."""
SPEECH_S = 20.0


class Stage:
    """What every act is made of; raises LabFailed where something does not follow."""

    def __init__(self, world: World, script: Script, timeline: Timeline) -> None:
        self._world = world
        self._script = script
        self._line = timeline
        self._pins: dict[str, VirtualPins] = {}
        self._handed: list[tuple[float, str]] = []
        self._members = (*world.cars, *(() if world.desk is None else (DESK,)))
        """Who is there, the call manager last."""
        self.outcome = Outcome(members=self._members, bursts=[], refusals=[], joins={}, left={}, events={}, follows=[])
        self._eyes = Eyes(world, self.outcome)
        self.notebook = self._book = self._eyes.book
        self._gate: VoiceGate | None = None
        self._soon_s = 0.0
        """Time between a decision to speak and the first syllable."""

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
        sleep_until(start_s - EDGE_BEFORE_S)
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
        burst = self._burst(session, text, listeners, press["edge_at"], press["handled_at"], press["told_at"])
        self._granted(burst, at_s, session, self._eyes.told(user, edge_s, red=True))
        return burst

    def _burst(
        self, session: Session, text: str, listeners: tuple[str, ...], edge_s: float, handled_s: float, told_s: float
    ) -> Burst:
        burst = Burst(
            n=len(self.outcome.bursts) + 1,
            speaker=session.current_speaker or "",
            number=session.burst,
            event_id=session.event_id or "",
            text=text,
            listeners=listeners,
            edge_s=edge_s,
            handled_s=handled_s,
            told_s=told_s,
        )
        self.outcome.bursts.append(burst)
        return burst

    def _granted(self, burst: Burst, at_s: float, session: Session, told: str) -> None:
        granted_ms = (burst.handled_s - burst.edge_s) * 1000
        self._line.add(burst.handled_s, burst.speaker, "granted", burst_n=burst.n, granted_ms=granted_ms, told=told)
        if burst.n == 1 or burst.event_id != self.outcome.bursts[-2].event_id:
            self._line.add(at_s, "office", "session", speaker=session.speaker_name or burst.speaker)

    def _refused(self, user: str, start_s: float, end_s: float) -> None:
        sleep_until(start_s - EDGE_BEFORE_S)
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
        sleep_until(end_s)
        up_s = self._pins[user].release()
        self._line.add(up_s, user, "released")
        motor = tuple(pulses(self._book, user, edge_s))
        self.outcome.refusals.append(
            Refusal(
                user=user,
                text=text,
                speaker=self.outcome.bursts[-1].speaker,
                edge_s=edge_s,
                end_s=up_s,
                deny=deny,
                told_s=press["told_at"],
                motor_ms=motor,
            )
        )

    def _key_up(self, burst: Burst, at_s: float) -> None:
        sleep_until(at_s)
        self._released(burst, self._pins[burst.speaker].release())

    def _released(self, burst: Burst, up_s: float) -> None:
        burst.end_s = up_s
        self._line.add(burst.end_s, burst.speaker, "released")
        self._idle(burst, burst.end_s)
        self._line.add(burst.idle_s, "office", "idle", burst_n=burst.n, ended=burst.ended)

    def _kill(self, burst: Burst, at_s: float) -> None:
        process = self._world.cars[burst.speaker].process
        assert process is not None
        sleep_until(at_s)
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

    # --- what the call manager does ---------------------------------------------------------------------------------

    def _desk_talk(self, desk: Desk, part: str, listeners: tuple[str, ...]) -> Burst:
        """Hold the console's key and speak at once; gives the burst once all of it was said and the key is up."""
        text = self._script.text(part)
        desk.sound.say(self._script.sound(part))
        edge_s = desk.hold()
        self._line.add(edge_s, DESK, "pressed", said=text)
        at_s, session = self._eyes.first(
            Session,
            lambda s: s.current_speaker == DESK and s.active,
            edge_s,
            "the office announces the call manager as the speaker",
        )
        shown_s = self._page_shows(desk, "ptt floor", ("talking",), edge_s, "the page says ON AIR")
        burst = self._burst(session, text, listeners, edge_s, shown_s, shown_s)
        self._granted(burst, at_s, session, f"“{desk.text('ptt-state')}”")
        return burst

    def _desk_refused(self, desk: Desk, part: str) -> None:
        """Hold the console's key and speak while somebody else has the floor; the key is up when it returns."""
        text, speaker = self._script.text(part), self.outcome.bursts[-1].speaker
        desk.sound.say(self._script.sound(part))
        edge_s = desk.hold()
        self._line.add(edge_s, DESK, "pressed", said=text)
        _, deny = self._eyes.first(FloorDeny, lambda _: True, edge_s, "the call manager is refused", DESK)
        told_s = self._page_shows(desk, "ptt floor", ("denied",), edge_s, "the page says that it is refused")
        page = desk.text("told")
        self._line.add(
            told_s,
            DESK,
            "denied",
            name=deny.speaker_name,
            remaining_s=deny.remaining_s or 0.0,
            cause=deny.cause.value,
            told=f"“{page}”",
        )
        desk.sound.spoken(SPEECH_S)
        up_s = desk.let_go()
        self._line.add(up_s, DESK, "released")
        refusal = Refusal(
            user=DESK, text=text, speaker=speaker, edge_s=edge_s, end_s=up_s, deny=deny, told_s=told_s, page=page
        )
        self.outcome.refusals.append(refusal)

    def _page_shows(self, desk: Desk, name: str, values: tuple[str, ...], since_s: float, what: str) -> float:
        """Give when the page first showed one of these, from `since_s` on."""
        found = self._book.wait(lambda: desk.since(name, values, since_s), STEP_S)
        if found is None:
            raise BrokeOff(f"not within {STEP_S:.0f} s: {what}", since_s)
        self._eyes.follows(what, since_s, found.at_s, PAGE_S)
        return found.at_s

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
        for _ in self._eyes.each(self._members, lambda p: p.state is PresenceState.ONLINE, 0.0, "{} is online"):
            pass

    def _logged(self, user: str, line: str) -> None:
        if "voice handed over" in line:
            self._handed.append((time.monotonic(), line))
        if "burst heard" in line and (speaker := re.search(r"speaker=(\S+)", line)):
            self._line.add(time.monotonic(), user, "hears", speaker=VOICES.get(speaker[1], speaker[1]))


def sleep_until(at_s: float) -> None:
    """Return at that time (monotonic s), to the ms."""
    while (left_s := at_s - time.monotonic()) > 0:
        time.sleep(min(left_s, 0.1) if left_s > 0.002 else left_s)
