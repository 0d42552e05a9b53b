"""Whose requests are served: those of a page of ours, on this machine.

The socket listens on 127.0.0.1 alone. A web page from elsewhere in the same browser could still reach it: under a name
of its own that it has pointed to 127.0.0.1 (DNS rebinding), or by opening our WebSocket across origins, which browsers
allow. The first shows in `Host`, the second in `Origin`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES: Final = ("127.0.0.1", "localhost")
POLICY_VIOLATION: Final = 1008
HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'self'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; img-src data:; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class OwnPagesOnly:
    """ASGI around `app`, which listens on `port`."""

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with 403."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        if not self.allows(scope["type"], _only(scope, b"host"), _only(scope, b"origin")):
            return await _refuse(scope["type"], send)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, answer)

    def allows(self, kind: str, host: str, origin: str) -> bool:
        """Whether a request of this kind (`http`, `websocket`) comes from a page of ours, or from who asks for it."""
        if host not in self._hosts:
            return False
        if kind == "websocket" or origin:
            return origin.removeprefix("http://") == host and origin.startswith("http://")
        return True


def _only(scope: Scope, name: bytes) -> str:
    """A header that is there once; empty where it is not, or where there are several."""
    found = [value for key, value in scope["headers"] if key == name]
    return bytes(found[0]).decode("latin-1") if len(found) == 1 else ""


async def _refuse(kind: str, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "not a page of the cab"})
        return
    text = b"The cab answers only on http://127.0.0.1 or http://localhost, with its own port.\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": text})
