"""The asking end of gateway.status_server."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

TIMEOUT_S = 3.0


class Unreachable(Exception):
    """No daemon answers; says where was looked, and how to mend it."""


class Answer(Struct, frozen=True):
    """A daemon's status, as it came and read."""

    raw: str
    status: dict[str, Any]


def ask(sockets: Sequence[Path], presses: int = 10) -> Answer:
    """Ask the first daemon that answers on one of `sockets`; raises Unreachable."""
    problems = []
    for path in sockets:
        try:
            return _ask(path, presses)
        except PermissionError:
            problems.append(f"{path} belongs to another user (use sudo)")
        except (FileNotFoundError, ConnectionRefusedError):
            problems.append(f"nobody serves {path} (is ptt-gateway running?)")
        except (OSError, ValueError, KeyError) as error:
            problems.append(f"{path} gave no answer ({error})")
    raise Unreachable("; ".join(problems))


def _ask(path: Path, presses: int) -> Answer:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(json.dumps({"op": "status", "presses": presses}).encode() + b"\n")
        data = b""
        while came := connection.recv(65536):
            data += came
    answer = json.loads(data)
    if not answer["ok"]:
        raise ValueError(answer["error"])
    return Answer(json.dumps(answer["status"], ensure_ascii=False), answer["status"])
