"""The pinned SDK's source package without its libraries, and what stands in for them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voice.transports.agora import observers
from voice.transports.agora.port import SdkEvent


class FakeLibrary:
    """What ctypes.CDLL gives while patched: every symbol is there and answers `answers.get(name, 1)`."""

    loaded: list[str]
    answers: dict[str, object]
    calls: list[str]

    def __init__(self, path: str) -> None:
        self.loaded.append(Path(path).name)

    def __getattr__(self, name: str) -> Any:
        def symbol(*_args: object) -> object:
            self.calls.append(name)
            return self.answers.get(name, 1)

        return symbol


def parameters(function: Callable[..., object]) -> list[str]:
    """A function's parameters but self, as `name` or `name=default`."""
    found = inspect.signature(function).parameters.values()
    return [str(p).partition(":")[0] + f"={p.default}" if p.default is not p.empty else p.name for p in found][1:]


def defaults(config: type) -> dict[str, object]:
    return {field.name: field.default for field in dataclasses.fields(config)}


def watcher(noted: list[SdkEvent]) -> observers.Watcher:
    return observers.Watcher("office-1", noted.append, lambda _uid, _pcm, _at: None, lambda _uid: None)
