"""One connection of a stand-in process, as the hub sees it."""

import contextlib
import socket

from lab.agora_stub.stream import Stream
from lab.agora_stub.wire import Down, Join, encode

BROADCASTER, AUDIENCE = 1, 2


class Member:
    """`join` is None where nothing was asked for, or it was refused; `joined_at` is monotonic. Not guarded."""

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
    def channel(self) -> str | None:
        """The channel it is in."""
        return self.join.channel if self.join is not None and self.joined_at is not None else None

    @property
    def asked(self) -> Join:
        """What it asked for; only of one that did."""
        assert self.join is not None
        return self.join

    @property
    def uid(self) -> int:
        """As which uid it asked; only of one that did."""
        return self.asked.uid

    def hears(self, uid: int) -> bool:
        """Whether sound of `uid` reaches it."""
        return self.link and (self.all or uid in self.subscribed)

    def send(self, kind: Down, a: int = 0, b: int = 0, payload: bytes = b"") -> None:
        """Tell the process; what its socket does not take is lost."""
        with contextlib.suppress(OSError):
            self.sock.send(encode(kind, a, b, payload), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
