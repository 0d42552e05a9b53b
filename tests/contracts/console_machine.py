"""Random talks of the gateway's participant: what was done to it and what it did, for the console's to do the same."""

import random
from typing import Any

import msgspec

from gateway.core.context import Context
from gateway.core.floor_machine import FloorMachine
from gateway.core.participant import Participant
from gateway.core.participant_words import Word
from gateway.core.releases import Releases
from gateway.core.told import Told
from gateway.core.words import Publish, Tell, ToWorker
from protocol.messages import (
    DenyCause,
    Ended,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Priority,
    Reply,
    RevokeCause,
    Session,
)
from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Through, Transmit

USER = "desk"
WORDS: dict[type[Any], Word] = {
    FloorGranted: Word.GRANTED,
    FloorDeny: Word.DENY,
    FloorQueued: Word.POSITION,
    FloorRenewed: Word.RENEWED,
    FloorRevoke: Word.REVOKE,
}
WAITS_S = (0.001, 0.02, 0.1, 0.25, 0.31, 0.5, 0.7, 1.0, 1.3, 2.2, 3.1)


class Walk:
    """One machine, and a hand that does to it what its surroundings may."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.ctx = Context(USER, lambda: 0.0)
        self.ctx.link_up, self.ctx.voice_problem, self.ctx.connection_id = True, None, (0, 42, 1)
        self.releases = Releases(self.ctx)
        self.participant = Participant(self.ctx, self.releases)
        self.machine = FloorMachine(self.participant, self.releases)
        self.now, self.rev, self.burst = 100.0, 10, 0
        self.renew_no, self.open = 0, ""
        self.asked: list[Any] = []
        self.inputs: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []

    def run(self, steps: int) -> dict[str, Any]:
        """Take so many steps; gives what was done and what came of it."""
        for _ in range(steps):
            deeds = (
                self._press,
                self._up,
                self._answer,
                self._answer,
                self._answer,
                self._wait,
                self._wait,
                self._rare,
            )
            self.chance.choice(deeds)()
        return {"inputs": self.inputs, "steps": self.steps}

    # --- deeds ------------------------------------------------------------------------------------------------------

    def _press(self) -> None:
        priority = self.chance.choice((Priority.NORMAL, Priority.NORMAL, Priority.HIGH))
        self.participant.priority = priority
        self._done("press", lambda: self.machine.take(Word.PRESS, self.now, self.now), at=self.now, priority=priority)

    def _up(self) -> None:
        def let_go() -> None:
            self.participant.let_go(self.now)
            self.machine.take(Word.KEY_UP, self.now, self.now)

        self._done("up", let_go, at=self.now)

    def _wait(self) -> None:
        deadline = self.machine.next_deadline()
        exact = deadline is not None and deadline > self.now and self.chance.random() < 0.3
        self.now = deadline if exact and deadline is not None else self.now + self.chance.choice(WAITS_S)
        self._tick()

    def _tick(self) -> None:
        def tick() -> None:
            self.machine.tick(self.now)
            self._settle()

        self._done("tick", tick)

    def _answer(self) -> None:
        """Something the server may say, mostly to what was asked last; sometimes late, to an older thing, or twice."""
        self.rev += self.chance.choice((0, 1, 1))
        talk = self.participant.talk
        request = (0, 42, 1, 1) if not self.asked else self.chance.choice(self.asked[-2:])
        if talk is not None and self.chance.random() < 0.8:
            request = talk.request_id
        burst = self.burst if self.chance.random() < 0.9 else self.burst - 1
        kind = self.chance.choice(
            ("granted", "granted", "renewed", "renewed", "renewed", "deny", "queued", "revoke", "ack")
        )
        if kind == "granted":
            self.burst += self.chance.choice((1, 1, 0))
            duration_s = self.chance.choice((30.0, 4.0, 8.0))
            self._reply(
                FloorGranted(rev=self.rev, request_id=request, burst=self.burst, duration_s=duration_s, lease_s=3)
            )
        elif kind == "renewed":
            no = max(0, self.renew_no - self.chance.choice((0, 0, 0, 1)))
            self._reply(FloorRenewed(rev=self.rev, burst=max(0, burst), renew_no=no))
        elif kind == "deny" and self.chance.random() < 0.5:
            cause, priority = self.chance.choice(list(DenyCause)), self.chance.choice(list(Priority))
            deny = FloorDeny(rev=self.rev, request_id=request, cause=cause, speaker="car-1", priority=priority)
            self._reply(deny)
        elif kind == "queued":
            self._reply(FloorQueued(rev=self.rev, request_id=request, position=self.chance.choice((1, 2))))
        elif kind == "revoke" and self.chance.random() < 0.3:
            self._reply(FloorRevoke(rev=self.rev, burst=max(0, burst), cause=self.chance.choice(list(RevokeCause))))
        elif kind == "ack":
            self._reply(FloorAck(rev=self.rev, request_id=request))

    def _rare(self) -> None:
        talk = self.participant.talk
        match self.chance.choice(
            ("session", "session", "link", "through", "through", "drained", "drained", "lost", "stop")
        ):
            case "session":
                self._session()
            case "link" if self.ctx.link_up and self.chance.random() < 0.4:
                self._done("down", self._link_down)
            case "link" if not self.ctx.link_up:
                one, two, three = self.ctx.connection_id
                self.ctx.connection_id = (one, two, three + 1)
                self.ctx.link_up = True
                up = lambda: self.machine.take(Word.LINK_UP, self.now)  # noqa: E731
                self._done("link", up, connectionId=self.ctx.connection_id)
            case "through":
                said = Through(burst=self.burst, seq=self.chance.randrange(50), at=self.now)
                self._done(
                    "through", lambda: self.machine.take(Word.THROUGH, self.now, said), burst=said.burst, seq=said.seq
                )
            case "drained" if talk is not None:
                last = self.chance.choice((None, 7, 80))
                word = Drained(request_id=talk.request_id, burst=talk.burst, last_seq=last)
                drained = lambda: self.machine.take(Word.DRAINED, self.now, word)  # noqa: E731
                self._done("drained", drained, requestId=talk.request_id, lastSeq=last)
            case "lost" if self.chance.random() < 0.1 and talk is not None:
                self._done("lost", lambda: self.machine.take(Word.VOICE_LOST, self.now, Told.NO_MICROPHONE))
            case "stop" if self.chance.random() < 0.1:
                self._done("stop", lambda: self.participant.stop(self.now))

    def _link_down(self) -> None:
        self.ctx.link_up = False
        self.machine.take(Word.LINK_DOWN, self.now)

    def _session(self) -> None:
        if self.ctx.session is not None and self.rev <= self.ctx.session.rev:
            self.rev = self.ctx.session.rev + 1
        speaker = self.chance.choice((USER, USER, USER, "car-1", None))
        session = Session(
            rev=self.rev,
            store="s",
            active=True,
            channel_name="c",
            burst=max(0, self.burst - self.chance.choice((0, 0, 0, 1))),
            current_speaker=speaker,
            ended=self.chance.choice(list(Ended)) if speaker is None else None,
            priority=self.chance.choice(list(Priority)),
        )

        def take() -> None:
            self.ctx.session = session
            self.machine.take(Word.SESSION, self.now, session)
            self.releases.burst_over(session.burst - (session.current_speaker == USER))
            self._settle()

        self._done("session", take, message=session)

    def _reply(self, said: Reply) -> None:
        if not self.ctx.link_up:
            return

        def take() -> None:
            if isinstance(said, FloorAck):
                if self.releases.acked(said.request_id):
                    self.participant.release_answered()
            else:
                self.machine.take(WORDS[type(said)], self.now, said)

        self._done("reply", take, message=said)

    # --- writing it down --------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        if self.releases.next_deadline() is None:
            self.participant.release_answered()

    def _done(self, what: str, act: Any, **data: Any) -> None:
        self.inputs.append(msgspec.to_builtins({"now": self.now, "what": what, **data}))
        act()
        effects = [line for effect in self.ctx.take() if (line := self._line(effect)) is not None]
        step = {"effects": effects, "state": self.participant.state}
        self.steps.append(msgspec.to_builtins(step))

    def _line(self, effect: Any) -> list[Any] | None:
        match effect:
            case Publish(message=FloorRequest() | FloorRenew() | FloorRelease() as message, kind=kind):
                if isinstance(message, FloorRenew):
                    self.renew_no = message.renew_no
                if isinstance(message, FloorRequest) and message.request_id not in self.asked:
                    self.asked.append(message.request_id)
                return ["floor", message, kind.value.endswith("again")]
            case Tell():
                return ["tell", effect.what, effect.press_no, effect.name, effect.remaining_s, effect.count]
            case ToWorker(command=Arm(request_id=request_id, edge_at=edge_at)):
                return ["arm", request_id, edge_at]
            case ToWorker(command=Transmit(request_id=request_id, burst=burst)):
                key = str(request_id)
                first, self.open = self.open != key, key
                return ["open", request_id, burst] if first else None
            case ToWorker(command=Hold(burst=burst)):
                self.open = ""
                return ["hold", burst]
            case ToWorker(command=KeyUp(request_id=request_id)):
                return ["up", request_id]
            case ToWorker(command=Mute(request_id=request_id)):
                self.open = "" if self.open == str(request_id) else self.open
                return ["mute", request_id]
            case _:
                return None


def walks(count: int, steps: int) -> list[dict[str, Any]]:
    """Give so many walks."""
    return [{"seed": seed, **Walk(seed).run(steps)} for seed in range(count)]
