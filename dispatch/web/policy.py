"""What a browser may do with a page: run our files and nothing else; the console's may reach the broker. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_DEVICES = "camera=(), geolocation=(), microphone="


def policy(connect: Sequence[str] = (), *, workers: bool = False) -> str:
    """Give a content security policy; `connect`: whom a script may reach beside us, each an origin."""
    rules = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"]
    rules.append(" ".join(("connect-src 'self'", *connect)))
    if workers:
        rules.append("worker-src 'self'")
    return "; ".join([*rules, "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"])


POLICY: Final = policy()
PERMISSIONS: Final = f"{_DEVICES}()"


def console_headers(connect: Sequence[str]) -> dict[str, str]:
    """Give the headers of the console's page, instead of every other's: its microphone, and whom it may reach."""
    return {
        "Content-Security-Policy": policy(connect, workers=True),
        "Permissions-Policy": f"{_DEVICES}(self)",
    }
