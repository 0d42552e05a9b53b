"""Which offices `ptt watch` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor import cli, watch
from monitor.words import Words
from protocol.ids import OfficeId
from service.mqtt import BrokerSettings

HQ, NORTH = OfficeId("seoul", "hq"), OfficeId("seoul", "north")


@pytest.mark.parametrize(
    ("arguments", "login", "asked"),
    [
        (["--all"], "seoul.hq.wall", [HQ]),
        (["--all"], "someone", []),
        (["--all"], None, []),
        (["--office", "seoul/north"], "seoul.hq.wall", [NORTH]),
    ],
)
def test_all_offices_are_those_that_the_login_may_see(
    arguments: list[str],
    login: str | None,
    asked: list[OfficeId],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[OfficeId] = []

    def once(_settings: BrokerSettings, offices: Sequence[OfficeId], _words: Words) -> int:
        seen.extend(offices)
        return 0

    monkeypatch.setattr(watch, "once", once)
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("a secret of the wall")
    named = [] if login is None else ["--username", login, "--password-file", str(secret)]

    assert cli.main(["watch", "--once", *arguments, *named]) == 0
    assert seen == asked
