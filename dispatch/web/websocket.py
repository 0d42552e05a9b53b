"""Where a page reaches the broker: over websockets, beside the host that the page itself came from. Pure."""

from __future__ import annotations

import re

from msgspec import Struct

PATH = "/mqtt"
_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_ORIGIN = re.compile(r"wss://[^/]+")


class Websocket(Struct, frozen=True, kw_only=True):
    """The broker's listener for browsers, as [web] of the configuration has it."""

    port: int
    """0: there is none."""
    url: str | None = None
    """Where it is elsewhere."""

    def url_for(self, host: str) -> str | None:
        """Give the URL for a page that was asked for with this Host header; None where there is none."""
        if self.url is not None:
            return self.url
        found = _HOST.fullmatch(host)
        if self.port == 0 or found is None:
            return None
        return f"wss://{found[1]}:{self.port}{PATH}"


def origin_of(url: str) -> str:
    """Give what a page's policy names: scheme, host and port."""
    found = _ORIGIN.match(url)
    return "" if found is None else found[0]
