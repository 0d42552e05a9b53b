"""The hub: what Agora's cloud is to the real library, on one machine, for tests and the demo.

    with Hub(app_id, certificate, folder / "agora.sock") as hub:
        ...start processes with AGORA_STUB_SOCKET=hub.path and a staged stand-in (lab.agora_stub.build)

It lets in whom a token lets in, passes sound on to those who are subscribed, 10 ms at a time, and does what goes wrong
on command. It is a stand-in: it shows how our side behaves, and proves nothing about Agora's.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import random
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from lab.agora_stub.gatekeeper import BANNED, EXPIRED, JOIN_CHANNEL, JOINED, Gatekeeper, Rule
from lab.agora_stub.stream import FRAME_S, Network, Stream, resampled
from lab.agora_stub.wire import DATAGRAM_BYTES_MAX, Down, Join, Message, Up, decode, encode, read_join

BROADCASTER, AUDIENCE = 1, 2
LEFT, SAME_UID, INTERRUPTED, REJOINED = 5, 19, 2, 15
NOT_AUTHORISED = 2
INVALID_TOKEN = 110
RECORD_BYTES_MAX = 20_000_000
"""So much of what each uid pushed is kept: 200 s at 48 kHz."""
JOINS_MAX = 1000
LATE_S = 0.5
"""A hub that fell behind by more leaves sound out instead of sending it in a rush."""


class Stats(Struct, frozen=True):
    """One channel as it stands: `joined_s` includes what earlier stays took."""

    joined: tuple[int, ...]
    speaking: tuple[int, ...]
    joined_s: dict[int, float]
    pushed: dict[int, int]
    """Frames of 10 ms that each uid pushed while it might speak."""
    delivered: dict[int, int]
    """Frames with sound handed to each uid."""
    refused: dict[int, tuple[int, ...]]
    """Reasons for which joins of each uid were refused."""
    mute_pushes: int
    """Datagrams of sound from those who may not speak; thrown away."""

    @property
    def minutes(self) -> float:
        """Minutes that would be billed."""
        return sum(self.joined_s.values()) / 60


class _Member:
    """One connection of a stand-in process. All of it is guarded by the hub's lock."""

    def __init__(self, sock: socket.socket, stream: Stream) -> None:
        self.sock = sock
        self.stream = stream
        self.join: Join | None = None
        self.token = ""
        self.joined_at: float | None = None
        self.role = AUDIENCE
        self.published = False
        self.subscribed: set[int] = set()
        self.all = False
        self.link = True
        self.warned = False

    @property
    def in_channel(self) -> bool:
        return self.joined_at is not None

    def send(self, kind: Down, a: int = 0, b: int = 0, payload: bytes = b"") -> None:
        """Tell the process; what its socket does not take is lost."""
        with contextlib.suppress(OSError):
            self.sock.send(encode(kind, a, b, payload), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


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
        self._members: dict[int, _Member] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._initialise_codes: deque[int] = deque()
        self._refuse: dict[int, deque[int]] = {}
        self._delay: dict[int, float] = {}
        self._past_s: Counter[tuple[str, int]] = Counter()
        self._pushed: Counter[tuple[str, int]] = Counter()
        self._delivered: Counter[tuple[str, int]] = Counter()
        self._refused: dict[tuple[str, int], list[int]] = {}
        self._mute_pushes: Counter[str] = Counter()
        self._recorded: dict[tuple[str, int], bytearray] = {}
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
            now = time.monotonic()
            seconds = {uid: past for (name, uid), past in self._past_s.items() if name == channel}
            for member in self._in(channel):
                assert member.join is not None and member.joined_at is not None
                seconds[member.join.uid] = seconds.get(member.join.uid, 0.0) + now - member.joined_at
            return Stats(
                joined=tuple(sorted(_uid(member) for member in self._in(channel))),
                speaking=tuple(sorted(_uid(member) for member in self._in(channel) if member.published)),
                joined_s=seconds,
                pushed={uid: count for (name, uid), count in self._pushed.items() if name == channel},
                delivered={uid: count for (name, uid), count in self._delivered.items() if name == channel},
                refused={uid: tuple(why) for (name, uid), why in self._refused.items() if name == channel},
                mute_pushes=self._mute_pushes[channel],
            )

    def recorded(self, channel: str, uid: int) -> bytes:
        """What `uid` pushed into `channel` so far, at most RECORD_BYTES_MAX."""
        with self._lock:
            return bytes(self._recorded.get((channel, uid), b""))

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
        member = _Member(sock, Stream(self.network, self._chance))
        self._members[sock.fileno()] = member
        self._selector.register(sock, selectors.EVENT_READ, member)

    def _read(self, member: _Member) -> None:
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

    def _handle(self, member: _Member, message: Message) -> None:
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

    def _asked(self, member: _Member, join: Join) -> None:
        self.joins.append(join)
        member.join, member.token, member.role, member.all = join, join.token, AUDIENCE, bool(join.auto_subscribe)
        delay_s = self._delay.get(join.uid, self._join_s)
        if math.isfinite(delay_s):
            self._at(delay_s, partial(self._let_in, member, join))

    def _let_in(self, member: _Member, join: Join) -> None:
        if member.join is not join or member.in_channel:
            return
        planned = self._refuse.get(join.uid)
        reason = planned.popleft() if planned else self._keeper.judge(join)
        if reason != JOINED:
            self._refused.setdefault((join.channel, join.uid), []).append(reason)
            member.join = None
            member.send(Down.FAILED, reason)
            return
        for other in [other for other in self._of(join.uid) if other is not member and other.in_channel]:
            if other.join is not None and other.join.channel == join.channel:
                self._throw_out(other, SAME_UID)
        member.joined_at, member.link, member.warned = time.monotonic(), True, False
        member.send(Down.CONNECTED, JOINED)
        self._role(member, join.role)
        for other in self._in(join.channel):
            if other is not member:
                other.send(Down.USER_JOINED, join.uid)
                member.send(Down.USER_JOINED, _uid(other))

    def _role(self, member: _Member, role: int) -> None:
        if role == BROADCASTER and member.in_channel and not self._allowed(member):
            member.send(Down.ROLE_REFUSED, NOT_AUTHORISED, AUDIENCE)
        else:
            member.role = role

    def _renew(self, member: _Member, token: str) -> None:
        join = member.join
        if join is None or self._keeper.judge_token(token, join.channel, join.uid) != JOINED:
            member.send(Down.ERROR, INVALID_TOKEN)
        else:
            member.token, member.warned = token, False

    def _pushed_by(self, member: _Member, message: Message, now: float) -> None:
        join = member.join
        if join is None:
            return
        if not (member.in_channel and member.link and member.published and member.role == BROADCASTER):
            self._mute_pushes[join.channel] += 1
            return
        if not self._allowed(member):
            self._mute_pushes[join.channel] += 1
            return
        record = self._recorded.setdefault((join.channel, join.uid), bytearray())
        record += message.payload[: RECORD_BYTES_MAX - len(record)]
        self._pushed[(join.channel, join.uid)] += member.stream.push(message.payload, message.a, now)

    def _tick(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        for member in list(self._members.values()):
            if member.in_channel:
                self._watch_token(member)
        for member in list(self._members.values()):
            if member.in_channel and member.link and (member.published or not member.stream.empty):
                self._pass_on(member, member.stream.take(now))

    def _watch_token(self, member: _Member) -> None:
        left_s = self._keeper.left_s(member.token)
        if left_s <= 0:
            member.send(Down.EXPIRED)
            self._throw_out(member, EXPIRED)
        elif left_s <= self._warn_s and not member.warned:
            member.warned = True
            member.send(Down.WILL_EXPIRE)

    def _pass_on(self, speaker: _Member, frame: tuple[int, bytes] | None) -> None:
        assert speaker.join is not None
        if frame is None and not speaker.published:
            return
        uid = speaker.join.uid
        for member in self._in(speaker.join.channel):
            if member is speaker or not member.link or not (member.all or uid in member.subscribed):
                continue
            assert member.join is not None
            rate_hz = member.join.rate_hz
            pcm = resampled(frame[1], frame[0], rate_hz) if frame else bytes(rate_hz // 100 * 2)
            if member.join.channels == 2:
                pcm = b"".join(pcm[at : at + 2] * 2 for at in range(0, len(pcm), 2))
            member.send(Down.AUDIO, uid, rate_hz, pcm)
            self._delivered[(member.join.channel, member.join.uid)] += frame is not None

    # --- small things, all under the lock ---------------------------------------------------------------------------

    def _allowed(self, member: _Member) -> bool:
        assert member.join is not None
        return self._keeper.may_speak(member.token, member.join.channel, member.join.uid, self._cohost)

    def _back(self, member: _Member) -> None:
        if member.in_channel:
            member.link = True
            member.send(Down.RECONNECTED, REJOINED)

    def _throw_out(self, member: _Member, reason: int) -> None:
        self._leave(member)
        member.join = None
        member.send(Down.FAILED, reason)

    def _leave(self, member: _Member) -> None:
        join, since = member.join, member.joined_at
        member.joined_at, member.published = None, False
        if join is None or since is None:
            return
        self._past_s[(join.channel, join.uid)] += time.monotonic() - since  # type: ignore[assignment]
        for other in self._in(join.channel):
            other.send(Down.USER_LEFT, join.uid)

    def _forget(self, member: _Member) -> None:
        self._leave(member)
        member.join = None
        self._members = {fd: other for fd, other in self._members.items() if other is not member}
        self._selector.unregister(member.sock)
        member.sock.close()

    def _in(self, channel: str) -> list[_Member]:
        return [m for m in self._members.values() if m.in_channel and m.join is not None and m.join.channel == channel]

    def _of(self, uid: int) -> list[_Member]:
        return [m for m in self._members.values() if m.join is not None and m.join.uid == uid]

    def _at(self, after_s: float, fn: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + after_s, next(self._order), fn))


def _uid(member: _Member) -> int:
    assert member.join is not None
    return member.join.uid
