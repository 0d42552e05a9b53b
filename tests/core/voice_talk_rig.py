"""A microphone and an encoder around a talk gate, in virtual time."""

from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Transmit
from voice.core.talk import Cut, Send, TalkGate

FRAME_S = 0.01
R1, R2, R3 = (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 1, 3)


class Mouth:
    """A microphone and an encoder of one packet per frame around a gate; a packet is the part of time it holds."""

    def __init__(self) -> None:
        self.gate: TalkGate[float, tuple[float, float]] = TalkGate()
        self.now = 0.0
        self.sent: list[tuple[float, Send[tuple[float, float]]]] = []
        self.drained: list[tuple[float, Drained]] = []
        self.room = True

    def take(self, outs: tuple[Cut[float] | Drained, ...]) -> None:
        for out in outs:
            match out:
                case Cut():
                    packet = (out.start_s, out.end_s) if out.start_s < out.end_s else None
                    if packet or out.final:
                        self.gate.keep(out.request_id, packet, out.start_s, final=out.final)
                case Drained():
                    self.drained.append((self.now, out))

    def do(self, command: Arm | Transmit | KeyUp | Hold | Mute) -> None:
        self.take(self.gate.handle(command, self.now))
        self.pump()

    def pump(self) -> None:
        while self.room and (send := self.gate.pull(self.now)) is not None:
            self.sent.append((self.now, send))
        self.take(self.gate.tick(self.now))

    def run(self, until: float, *, repeat: Transmit | None = None, deaf: bool = False) -> None:
        last_repeat = self.now
        while self.now < until - 1e-9:
            start = self.now
            self.now = round(self.now + FRAME_S, 6)
            if repeat is not None and self.now - last_repeat >= 0.2:
                last_repeat = self.now
                self.do(repeat)
            if not deaf:
                self.take(self.gate.captured(start, start, self.now, self.now))
            self.pump()

    @property
    def spans(self) -> list[tuple[float, float]]:
        return [send.packet for _, send in self.sent if send.packet is not None]


def go(request_id: tuple[int, int, int, int] = R1, burst: int = 7) -> Transmit:
    return Transmit(request_id=request_id, burst=burst)
