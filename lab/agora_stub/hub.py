"""The hub: what Agora's cloud is to the real library, on one machine, for tests and the demo.

    with Hub(app_id, certificate, folder / "agora.sock") as hub:
        ...start processes with AGORA_STUB_SOCKET=hub.path and a staged stand-in (lab.agora_stub.build)

It lets in whom a token lets in, passes sound on to those who are subscribed, 10 ms at a time, and does what goes wrong
on command. It is a stand-in: it shows how our side behaves, and proves nothing about Agora's.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

from lab.agora_stub.gatekeeper import BANNED, EXPIRED, JOIN_CHANNEL, JOINED, Gatekeeper, Rule
from lab.agora_stub.ledger import Ledger, Stats
from lab.agora_stub.member import AUDIENCE, BROADCASTER, Member
from lab.agora_stub.stream import FRAME_S, Network, Stream, resampled
from lab.agora_stub.wire import DATAGRAM_BYTES_MAX, Down, Join, Message, Up, decode, read_join

LEFT, SAME_UID, INTERRUPTED, REJOINED = 5, 19, 2, 15
NOT_AUTHORISED = 2
INVALID_TOKEN = 110
JOINS_MAX = 1000
LATE_S = 0.5
"""A hub that fell behind by more leaves sound out instead of sending it in a rush."""


class Hub:
    """Channels of one app. Every method may be called from any thread; uids and channels that are unknown are ignored.

    `join_s` is how long a join takes, `warn_s` how long before its end a token is warned of, `cohost` whether speaking
    needs the privilege (co-host authentication, a switch in Agora's console), `network` how sound travels.
    """

    def __init__(
        self,
        app_id: str,
        certificate: str,
        path: Path,
        *,
        join_s: float = 0.05,
        warn_s: float = 30.0,
        cohost: bool = True,
        network: Network | None = None,
        wall: Callable[[], float] = time.time,
        seed: int = 1,
    ) -> None:
        self.app_id = app_id
        self.path = path
        self.network = network or Network()
        self.joins: deque[Join] = deque(maxlen=JOINS_MAX)
        """Every join that was asked for, newest last."""
        self._join_s = join_s
        self._warn_s = warn_s
        self._cohost = cohost
        self._keeper = Gatekeeper(app_id, certificate, wall)
        self._chance = random.Random(seed)
        self._lock = threading.RLock()
        self._members: dict[int, Member] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._initialise_codes: deque[int] = deque()
        self._refuse: dict[int, deque[int]] = {}
        self._delay: dict[int, float] = {}
        self._ledger = Ledger()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agora-hub", daemon=True)

    def __enter__(self) -> Hub:
        """Listen."""
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be gone, as a cloud out of reach is."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            for member in list(self._members.values()):
                self._forget(member)
        self._selector.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    # --- looking at it ----------------------------------------------------------------------------------------------

    def stats(self, channel: str) -> Stats:
        """Who is in `channel`, for how long, and what was passed on."""
        with self._lock:
            now, here = time.monotonic(), self._in(channel)
            here_s = {member.uid: now - (member.joined_at or now) for member in here}
            return self._ledger.stats(channel, here_s, [member.uid for member in here if member.published])

    def recorded(self, channel: str, uid: int) -> bytes:
        """What `uid` pushed into `channel` so far, at most RECORD_BYTES_MAX."""
        with self._lock:
            return self._ledger.recorded(channel, uid)

    # --- Agora's REST interface -------------------------------------------------------------------------------------

    def kick(
        self, channel: str | None, uid: int | None, seconds: float = 3600.0, privilege: str = JOIN_CHANNEL
    ) -> Rule:
        """A kicking rule: throws out who is in, and keeps them out (or, for `publish_audio`, silent) for `seconds`."""
        with self._lock:
            rule = self._keeper.rule(channel, uid, seconds, privilege)
            for member in list(self._members.values()):
                if member.join and self._keeper.banned(member.join.channel, member.join.uid, JOIN_CHANNEL):
                    self._throw_out(member, BANNED)
            return rule

    def pardon(self, no: int) -> bool:
        """Take a rule away; False where there is none of that number."""
        with self._lock:
            return self._keeper.rules.pop(no, None) is not None

    def rules(self) -> list[Rule]:
        """The rules that were made and not taken away."""
        with self._lock:
            return list(self._keeper.rules.values())

    # --- what goes wrong, on command --------------------------------------------------------------------------------

    def fail_initialise(self, code: int, times: int = 1) -> None:
        """The next `times` processes that start the SDK are answered `code`."""
        with self._lock:
            self._initialise_codes.extend([code] * times)

    def refuse_join(self, uid: int, reason: int, times: int = 1) -> None:
        """The next joins of `uid` are refused for `reason` (CONNECTION_CHANGED_REASON_TYPE)."""
        with self._lock:
            self._refuse.setdefault(uid, deque()).extend([reason] * times)

    def delay_join(self, uid: int, seconds: float) -> None:
        """Joins of `uid` take so long from now on; `math.inf` is for ever."""
        with self._lock:
            self._delay[uid] = seconds

    def lose(self, uid: int, back_after_s: float | None = None, lost_after_s: float = 10.0) -> None:
        """`uid` loses its link: no sound comes or goes. It is back later, or lost for good after `lost_after_s`."""
        with self._lock:
            for member in self._of(uid):
                member.link = False
                member.send(Down.RECONNECTING, INTERRUPTED)
                if back_after_s is None:
                    self._at(lost_after_s, partial(member.send, Down.LOST))
                else:
                    self._at(back_after_s, partial(self._back, member))

    def disconnect(self, uid: int, reason: int) -> None:
        """`uid` is thrown out for `reason`."""
        with self._lock:
            for member in self._of(uid):
                self._throw_out(member, reason)

    def crash(self, uid: int) -> None:
        """The native code of `uid`'s process dies of SIGSEGV."""
        self._tell(uid, Down.CRASH)

    def storm(self, uid: int, count: int, kind: str = "sound") -> None:
        """`count` callbacks in a row in `uid`'s process: "users", "sound" or "states"."""
        self._tell(uid, Down.STORM, count, ("users", "sound", "states").index(kind))

    def fail_push(self, uid: int, code: int, times: int = 1) -> None:
        """The next pushes of `uid` are answered `code` (negative)."""
        self._tell(uid, Down.PUSH_ERROR, code, times)

    def hang(self, uid: int, seconds: float) -> None:
        """The next push of `uid` returns after so long."""
        self._tell(uid, Down.HANG, round(seconds * 1000))

    def warn(self, uid: int) -> None:
        """Tell `uid` that its token runs out soon, whatever it says."""
        self._tell(uid, Down.WILL_EXPIRE)

    def _tell(self, uid: int, kind: Down, a: int = 0, b: int = 0) -> None:
        with self._lock:
            for member in self._of(uid):
                member.send(kind, a, b)

    # --- its thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                with self._lock:
                    self._accept() if key.data is None else self._read(key.data)
            now = time.monotonic()
            due = max(due, now - LATE_S)
            with self._lock:
                while due <= now:
                    self._tick(due)
                    due += FRAME_S

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        member = Member(sock, Stream(self.network, self._chance))
        self._members[sock.fileno()] = member
        self._selector.register(sock, selectors.EVENT_READ, member)

    def _read(self, member: Member) -> None:
        while member.sock.fileno() >= 0:
            try:
                datagram = member.sock.recv(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                datagram = b""
            if not datagram:
                self._forget(member)
                return
            self._handle(member, decode(datagram))

    def _handle(self, member: Member, message: Message) -> None:
        now = time.monotonic()
        match message.kind:
            case Up.INITIALISE:
                code = self._initialise_codes.popleft() if self._initialise_codes else 0
                member.send(Down.INITIALISED, code)
            case Up.JOIN:
                self._asked(member, read_join(message))
            case Up.LEAVE:
                self._leave(member)
                member.send(Down.DISCONNECTED, LEFT)
            case Up.RENEW:
                self._renew(member, message.payload.decode())
            case Up.ROLE:
                self._role(member, message.a)
            case Up.PUBLISH:
                member.published = True
            case Up.UNPUBLISH:
                member.published = False
            case Up.CLEAR:
                member.stream.interrupt(now)
            case Up.AUDIO:
                self._pushed_by(member, message, now)
            case Up.SUBSCRIBE:
                member.subscribed.add(message.a)
            case Up.UNSUBSCRIBE:
                member.subscribed.discard(message.a)
            case Up.SUBSCRIBE_ALL | Up.UNSUBSCRIBE_ALL:
                member.all = message.kind == Up.SUBSCRIBE_ALL
                member.subscribed.clear()

    def _asked(self, member: Member, join: Join) -> None:
        self.joins.append(join)
        member.join, member.token, member.role, member.all = join, join.token, AUDIENCE, bool(join.auto_subscribe)
        delay_s = self._delay.get(join.uid, self._join_s)
        if math.isfinite(delay_s):
            self._at(delay_s, partial(self._let_in, member, join))

    def _let_in(self, member: Member, join: Join) -> None:
        if member.join is not join or member.channel is not None:
            return
        planned = self._refuse.get(join.uid)
        reason = planned.popleft() if planned else self._keeper.judge(join)
        if reason != JOINED:
            self._ledger.refused[(join.channel, join.uid)].append(reason)
            member.join = None
            member.send(Down.FAILED, reason)
            return
        for other in [other for other in self._of(join.uid) if other is not member and other.channel == join.channel]:
            self._throw_out(other, SAME_UID)
        member.joined_at, member.link, member.warned = time.monotonic(), True, False
        member.send(Down.CONNECTED, JOINED)
        self._role(member, join.role)
        for other in self._in(join.channel):
            if other is not member:
                other.send(Down.USER_JOINED, join.uid)
                member.send(Down.USER_JOINED, other.uid)

    def _role(self, member: Member, role: int) -> None:
        if role == BROADCASTER and member.channel is not None and not self._allowed(member):
            member.send(Down.ROLE_REFUSED, NOT_AUTHORISED, AUDIENCE)
        else:
            member.role = role

    def _renew(self, member: Member, token: str) -> None:
        join = member.join
        if join is None or self._keeper.judge_token(token, join.channel, join.uid) != JOINED:
            member.send(Down.ERROR, INVALID_TOKEN)
        else:
            member.token, member.warned = token, False

    def _pushed_by(self, member: Member, message: Message, now: float) -> None:
        join = member.join
        if join is None:
            return
        speaks = member.channel is not None and member.link and member.published and member.role == BROADCASTER
        if not speaks or not self._allowed(member):
            self._ledger.mute_pushes[join.channel] += 1
            return
        frames = member.stream.push(message.payload, message.a, now)
        self._ledger.record(join.channel, join.uid, message.payload, frames)

    def _tick(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        for member in list(self._members.values()):
            if member.channel is not None:
                self._watch_token(member)
        for member in list(self._members.values()):
            if member.channel is not None and member.link and (member.published or not member.stream.empty):
                self._pass_on(member, member.stream.take(now))

    def _watch_token(self, member: Member) -> None:
        left_s = self._keeper.left_s(member.token)
        if left_s <= 0:
            member.send(Down.EXPIRED)
            self._throw_out(member, EXPIRED)
        elif left_s <= self._warn_s and not member.warned:
            member.warned = True
            member.send(Down.WILL_EXPIRE)

    def _pass_on(self, speaker: Member, frame: tuple[int, bytes] | None) -> None:
        if frame is None and not speaker.published:
            return
        for member in self._in(speaker.asked.channel):
            if member is speaker or not member.hears(speaker.uid):
                continue
            rate_hz = member.asked.rate_hz
            pcm = resampled(frame[1], frame[0], rate_hz) if frame else bytes(rate_hz // 100 * 2)
            if member.asked.channels == 2:
                pcm = b"".join(pcm[at : at + 2] * 2 for at in range(0, len(pcm), 2))
            member.send(Down.AUDIO, speaker.uid, rate_hz, pcm)
            self._ledger.delivered[(member.asked.channel, member.uid)] += frame is not None

    # --- small things, all under the lock ---------------------------------------------------------------------------

    def _allowed(self, member: Member) -> bool:
        return self._keeper.may_speak(member.token, member.asked.channel, member.uid, self._cohost)

    def _back(self, member: Member) -> None:
        if member.channel is not None:
            member.link = True
            member.send(Down.RECONNECTED, REJOINED)

    def _throw_out(self, member: Member, reason: int) -> None:
        self._leave(member)
        member.join = None
        member.send(Down.FAILED, reason)

    def _leave(self, member: Member) -> None:
        join, since = member.join, member.joined_at
        member.joined_at, member.published = None, False
        if join is None or since is None:
            return
        self._ledger.past_s[(join.channel, join.uid)] += time.monotonic() - since
        for other in self._in(join.channel):
            other.send(Down.USER_LEFT, join.uid)

    def _forget(self, member: Member) -> None:
        self._leave(member)
        member.join = None
        self._members = {fd: other for fd, other in self._members.items() if other is not member}
        self._selector.unregister(member.sock)
        member.sock.close()

    def _in(self, channel: str) -> list[Member]:
        return [m for m in self._members.values() if m.channel == channel]

    def _of(self, uid: int) -> list[Member]:
        return [m for m in self._members.values() if m.join is not None and m.join.uid == uid]

    def _at(self, after_s: float, fn: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + after_s, next(self._order), fn))
