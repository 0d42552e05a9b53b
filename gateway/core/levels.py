"""How loud microphone and speaker are set, and what the microphone hears while somebody watches its meter."""

from gateway.core.context import Context
from gateway.core.words import LevelsKept, SaveLevels, SetLevels, WantMeter
from protocol.worker import GAIN_DB_MAX, Cleaning, Levels, Meter, Metered

METER_LEASE_S = 3.0
"""The meter runs so long after it was last asked for."""


class SoundLevels:
    """Keeps the levels over the workers' lives. Nothing here keys, and what is metered stays in this machine."""

    def __init__(self, ctx: Context, mic_db: float, speaker_db: float) -> None:
        """Begin with the levels as they were saved, in dB."""
        self._ctx = ctx
        self._running = False
        self.mic_db = mic_db
        self.speaker_db = speaker_db
        self.meter: Metered | None = None
        """What was measured last; None where nobody asked or no worker runs."""
        self.saved = True
        """Whether the levels survive a restart, as far as is known."""
        self.problem = ""
        """Why they do not."""
        self.trouble = ""
        """Why noise suppression does not work although it is set; empty where it does or is not."""

    def set(self, wish: SetLevels) -> bool:
        """Take new levels, in dB; False, and nothing changes, where one is out of bounds."""
        mic_db = self.mic_db if wish.mic_db is None else wish.mic_db
        speaker_db = self.speaker_db if wish.speaker_db is None else wish.speaker_db
        if not all(-GAIN_DB_MAX <= level <= GAIN_DB_MAX for level in (mic_db, speaker_db)):
            self._ctx.note("levels refused", warning=True, mic_db=mic_db, speaker_db=speaker_db, by=wish.by)
            return False
        self.mic_db, self.speaker_db = mic_db, speaker_db
        self.saved, self.problem = False, ""
        self._ctx.emit(SaveLevels(mic_db=mic_db, speaker_db=speaker_db))
        self._ctx.note("levels set", mic_db=mic_db, speaker_db=speaker_db, by=wish.by)
        self._tell()
        return True

    def kept(self, answer: LevelsKept) -> None:
        """Take what came of saving."""
        self.problem = answer.problem
        self.saved = not answer.problem
        if answer.problem:
            self._ctx.note("levels are not saved", warning=True, why=answer.problem)

    def want_meter(self, wish: WantMeter, now: float) -> None:
        """Have the microphone measured for METER_LEASE_S more."""
        if self._running:
            self._ctx.voice(Meter(until=now + METER_LEASE_S, tone=wish.tone))

    def worker_ready(self) -> None:
        """A new worker runs; it begins with 0 dB and nothing known."""
        self._running = True
        self.trouble = ""
        if self.mic_db or self.speaker_db:
            self._tell()

    def worker_gone(self) -> None:
        """It ended."""
        self._running = False
        self.meter = None

    def metered(self, said: Metered) -> None:
        """Take a measurement."""
        self.meter = said

    def cleaning(self, said: Cleaning) -> None:
        """Take whether noise suppression works."""
        self.trouble = "" if said.ok else said.detail

    def _tell(self) -> None:
        if self._running:
            self._ctx.voice(Levels(mic_db=self.mic_db, speaker_db=self.speaker_db))
