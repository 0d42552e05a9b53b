"""What every answer carries, errors too: a policy under which a page runs our files and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from dispatch.rest.http import BoundedProtocol
from dispatch.web.app import STREAM_PATH
from dispatch.web.policy import PERMISSIONS, POLICY

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: a browser then sends `Origin: null` with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", PERMISSIONS.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"cache-control", b"no-store"),
)
STUCK_S = 30.0
"""A page that takes nothing of its stream for once to twice so long is cut off."""


class Headers:
    """ASGI around `app`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and add the headers that the answer does not have of its own (the console's page)."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                said = {name.lower() for name, _ in own}
                message["headers"] = [*own, *(header for header in HEADERS if header[0] not in said)]
            await send(message)

        await self._app(scope, receive, answer)


class StreamingProtocol(BoundedProtocol):
    """A connection with the same deadlines, but for a stream that is being read, which may go on for weeks."""

    _stuck = False

    def _late(self) -> None:
        cycle = self.cycle
        streaming = cycle is not None and cycle.response_started and not cycle.response_complete
        if not streaming or cycle.scope["path"] != STREAM_PATH:
            super()._late()
        elif self._stuck and self.flow.write_paused:
            self.transport.abort()
        else:
            self._stuck = self.flow.write_paused
            self._deadline = self.loop.call_later(STUCK_S, self._late)
