"""Agora's SDK behind our port: every call on one thread of its own, everything told in the loop's.

    loop's thread                          thread "agora"                     the SDK's threads
    connect, push... ── commands ──────▶   RtcConnection, in order
    tell ◀── take ── Inbox ◀────────────── what failed here ◀──────────────── callbacks: put and return

A call of the SDK may take its time or hang without the loop noticing; whoever waits for a channel to be joined waits
JOIN_TIMEOUT_S at most. Each connection has a generation: once it is left, refused or closed, nothing more of it is
told. Each subscription has an interval: what was heard before it is not told after it. Each time of publishing has one
too: sound that still waits for the SDK's thread when it ends is never pushed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from service.logs import Log
from service.loop import Loop, Timer
from voice.transports.agora.commands import Commands
from voice.transports.agora.connection import RtcConnection, SdkFailed
from voice.transports.agora.inbox import Inbox
from voice.transports.agora.observers import Watcher
from voice.transports.agora.package import Package, load
from voice.transports.agora.port import Closed, Connected, Overrun, Refused, SdkEvent, Speech, Unusable
from voice.transports.agora.rtc_service import NotMade, RtcService
from voice.transports.agora.staging import NotStaged, check

JOIN_TIMEOUT_S = 10.0
"""A channel that is not joined by then is given up."""
CLOSE_TIMEOUT_S = 1.0
PUSH_AGE_S = 0.2
"""Sound that waited longer for a call of the SDK to return is dropped: pushed all at once it would be heard late."""
KEPT = 64
"""Callbacks of so many left connections are kept, should a native thread still be inside of one."""
RATES_HZ = (8000, 16000, 24000, 32000, 48000)
_NOBODY = (0, 0)

log = Log(__name__)


class AgoraSdk:
    """The SdkSession (voice.transports.agora.port) of one worker. Its calls return at once.

    The SDK is checked and loaded right away, in its thread; where that fails, `tell` gets Unusable. `rate_hz` is one
    of RATES_HZ (ValueError). `on_fatal` gets, in the loop's thread, an exception that is our own mistake: raise it.
    """

    def __init__(
        self,
        loop: Loop,
        settings: AgoraSettings,
        rate_hz: int,
        tell: Callable[[SdkEvent], None],
        on_fatal: Callable[[Exception], None],
    ) -> None:
        if rate_hz not in RATES_HZ:
            raise ValueError(f"{rate_hz} Hz is none of {RATES_HZ}: the SDK takes no sound of that rate")
        self._loop = loop
        self._settings = settings
        self._rate_hz = rate_hz
        self._tell = tell
        self._on_fatal = on_fatal
        # Of the loop's thread:
        self._generation = 0
        self._open = False
        self._over = False
        self._intervals = 0
        self._join_timer: Timer | None = None
        # Read by callbacks, replaced as a whole by the loop's thread: the uid to hear, and the interval.
        self._hearing = _NOBODY
        # Read by the SDK's thread, raised by the loop's: sound given before is not pushed any more.
        self._utterance = 0
        # Of the SDK's thread:
        self._package: Package | None = None
        self._service: RtcService | None = None
        self._connection: tuple[int, RtcConnection] | None = None
        self._kept: deque[object] = deque(maxlen=KEPT)
        # Shared:
        self._came_waits = False
        self._unpushed = 0
        self._inbox = Inbox(lambda: loop.call_soon_threadsafe(self._drain))
        self._commands = Commands()
        self._thread = threading.Thread(target=self._run, name="agora", daemon=True)
        self._thread.start()

    # --- the port, in the loop's thread -----------------------------------------------------------------------------

    def connect(self, token: Token) -> None:
        """Join `token.channel` as `token.uid`, as audience, subscribed to nobody. A connection there is left first."""
        self._next_generation()
        if self._over:
            return
        self._open = True
        generation = self._generation
        self._join_timer = self._loop.call_at(time.monotonic() + JOIN_TIMEOUT_S, partial(self._too_long, generation))
        self._command(partial(self._do_connect, generation, token))

    def disconnect(self) -> None:
        """Leave; nothing more of this connection is told afterwards."""
        if self._open:
            self._next_generation()
            self._command(self._do_leave)

    def renew(self, token: Token) -> None:
        """Give the running connection a newer token of the same channel and uid."""
        self._on_connection(lambda rtc: rtc.renew(token))

    def publish(self) -> None:
        """Become broadcaster and publish."""
        self._on_connection(RtcConnection.publish)

    def push(self, pcm: bytes) -> None:
        """Send 16-bit mono PCM, a multiple of 10 ms, now; ValueError for any other length."""
        if not pcm or len(pcm) % (self._rate_hz // 50):
            raise ValueError(f"{len(pcm)} bytes are no multiple of 10 ms at {self._rate_hz} Hz")
        if not self._open:
            return
        run = partial(self._do_push, self._generation, self._utterance, pcm, time.monotonic())
        if not self._commands.put_sound(run):
            self._inbox.put(self._generation, Closed("the SDK takes no more sound", again=False))

    def unpublish(self) -> None:
        """Throw away what is unsent (`interrupt_audio`), unpublish, be audience again."""
        self._utterance += 1
        self._on_connection(RtcConnection.unpublish)

    def subscribe(self, uid: int) -> None:
        """Hear this uid and nobody else."""
        self._hear(uid)

    def unsubscribe(self) -> None:
        """Hear nobody."""
        self._hear(0)

    def stuck_s(self, now: float) -> float:
        """How long the SDK has not returned from a call, as of `now`; 0 where none is made."""
        return self._commands.stuck_s(now)

    @property
    def unpushed(self) -> int:
        """Calls' worth of sound dropped since start because the SDK's thread came to them too late."""
        return self._unpushed

    def close(self) -> None:
        """Leave, release everything; waits for the thread at most 1 s."""
        self._next_generation()
        self._over = True
        self._commands.put_last(self._do_close)
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("Agora's SDK does not return from its last call; it is left behind")

    def _hear(self, uid: int) -> None:
        self._intervals += 1
        self._hearing = (uid, self._intervals) if uid else _NOBODY
        self._on_connection(lambda rtc: rtc.subscribe(uid))

    def _on_connection(self, call: Callable[[RtcConnection], None]) -> None:
        if self._open:
            self._command(partial(self._do, self._generation, call))

    def _command(self, run: Callable[[], None]) -> None:
        if not self._commands.put(run):
            self._inbox.put(0, Unusable("Agora's SDK does not return from a call -> restart the voice worker"))

    def _next_generation(self) -> None:
        """Nothing of the connection so far counts any more."""
        self._generation += 1
        self._utterance += 1
        self._open = False
        self._hearing = _NOBODY
        if self._join_timer is not None:
            self._join_timer.cancel()
            self._join_timer = None

    def _too_long(self, generation: int) -> None:
        self._drain()  # it may have been told, and not yet read
        if self._join_timer is not None and generation == self._generation:
            self._told(Closed(f"not joined within {JOIN_TIMEOUT_S:.0f} s", again=False))

    def _drain(self) -> None:
        noted, dropped, flooded = self._inbox.take()
        for note in noted:
            if self._over or note.generation not in (0, self._generation):
                continue
            if not isinstance(note.event, Speech) or note.interval == self._hearing[1]:
                self._told(note.event)
        if dropped and not self._over:
            log.warning("Agora's callbacks came faster than they could be taken", dropped=dropped)
            self._tell(Overrun(dropped))
        if flooded and self._open:
            self._told(Closed("the SDK told more than could be taken", again=False))

    def _told(self, event: SdkEvent) -> None:
        match event:
            case Refused() | Closed(again=False):
                self.disconnect()
            case Connected() if self._join_timer is not None:
                self._join_timer.cancel()
                self._join_timer = None
            case Unusable():
                self._next_generation()
                self._over = True
                self._commands.put_last(self._do_close)  # should the SDK's call return one day: leave, and no more
        self._tell(event)

    # --- the SDK's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            staged = check(Path(self._settings.sdk_dir))
            for warning in staged.warnings:
                log.warning("Agora's SDK may not work here", detail=warning)
            self._package = load(staged)
            self._service = RtcService(self._package, self._settings)
            log.info("Agora's SDK is loaded", libraries=len(staged.preload))
            while self._commands.run_next():
                pass
        except (NotStaged, NotMade) as error:
            self._inbox.put(0, Unusable(str(error)))
        except Exception as error:  # noqa: BLE001 - the top of the thread: it ends the process, in the loop
            self._loop.call_soon_threadsafe(partial(self._on_fatal, error))

    def _do_connect(self, generation: int, token: Token) -> None:
        assert self._package is not None and self._service is not None
        self._do_leave()
        watcher = Watcher(
            token.channel,
            note=partial(self._inbox.put, generation),
            hear=partial(self._heard, generation),
            came=partial(self._came, generation),
        )
        try:
            service = self._service.of(token.app_id)
            rtc = RtcConnection(self._package, service, self._rate_hz, token, watcher, self._kept)
            self._connection = generation, rtc
        except SdkFailed as error:
            self._inbox.put(generation, Closed(str(error), again=False))

    def _do(self, generation: int, call: Callable[[RtcConnection], None]) -> None:
        if self._connection is None or self._connection[0] != generation:
            return
        try:
            call(self._connection[1])
        except SdkFailed as error:
            self._inbox.put(generation, Closed(str(error), again=False))

    def _do_push(self, generation: int, utterance: int, pcm: bytes, given_at: float) -> None:
        if utterance != self._utterance or time.monotonic() - given_at > PUSH_AGE_S:
            self._unpushed += 1
            return
        self._do(generation, lambda rtc: rtc.push(pcm))

    def _do_came(self, generation: int, uid: int) -> None:
        self._came_waits = False
        self._do(generation, lambda rtc: rtc.came(uid))

    def _do_leave(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection[1], None
            connection.leave()

    def _do_close(self) -> None:
        self._do_leave()
        if self._service is not None:
            self._service.release()

    # --- threads of the native library: only enqueue ----------------------------------------------------------------

    def _heard(self, generation: int, uid: int, pcm: bytes, at_s: float) -> None:
        wanted, interval = self._hearing
        if uid == wanted:
            self._inbox.put(generation, Speech(uid, pcm, at_s), interval)

    def _came(self, generation: int, uid: str) -> None:
        wanted = self._hearing[0]
        if wanted and uid == str(wanted) and not self._came_waits:
            self._came_waits = True
            self._commands.put(partial(self._do_came, generation, wanted))
