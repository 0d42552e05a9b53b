"""The asking end of gateway.status_server."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

TIMEOUT_S = 3.0


class Unreachable(Exception):
    """No daemon answers; says where was looked, and how to mend it."""


class Refused(Exception):
    """The daemon answers, but does not do it; says why."""


class Answer(Struct, frozen=True):
    """A daemon's status, as it came and read."""

    raw: str
    status: dict[str, Any]


def ask(sockets: Sequence[Path], presses: int = 10) -> Answer:
    """Ask the first daemon that answers on one of `sockets`; raises Unreachable."""
    try:
        status = _first(sockets, {"op": "status", "presses": presses}, "status")
    except Refused as error:
        raise Unreachable(f"the daemon gave no answer ({error})") from error
    return Answer(json.dumps(status, ensure_ascii=False), status)


def ask_levels(sockets: Sequence[Path], wish: Mapping[str, Any]) -> dict[str, Any]:
    """Ask about the levels, and set what `wish` holds (see gateway.status_server); raises Unreachable or Refused."""
    return _first(sockets, {**wish, "op": "levels"}, "levels")


def _first(sockets: Sequence[Path], request: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    problems = []
    for path in sockets:
        try:
            return _ask(path, request, wanted)
        except PermissionError:
            problems.append(f"{path} belongs to another user (use sudo)")
        except (FileNotFoundError, ConnectionRefusedError):
            problems.append(f"nobody serves {path} (is ptt-gateway running?)")
        except (OSError, ValueError, KeyError) as error:
            problems.append(f"{path} gave no answer ({error})")
    raise Unreachable("; ".join(problems))


def _ask(path: Path, request: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while came := connection.recv(65536):
            data += came
    answer = json.loads(data)
    if not answer["ok"]:
        raise Refused(str(answer["error"]))
    found: dict[str, Any] = answer[wanted]
    return found
