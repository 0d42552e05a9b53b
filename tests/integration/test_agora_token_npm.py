"""Our tokens against Agora's own npm package `agora-token` (pinned in tests/npm), both ways, over random inputs."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dispatch.tokens.access_token2 import JOIN, PUBLISH_AUDIO, build, parse, verify
from service.settings import Secret
from tests.support.procs import ROOT

ORACLE = ROOT / ".venv" / "token-oracle"
"""Where setup/bootstrap puts the package."""
COUNT = 400
SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&()+-:;<=.>?@[]^_{}|~,"
HEX = "0123456789abcdefABCDEF"
U32_MAX = 2**32 - 1


def inputs(seed: int) -> list[dict[str, Any]]:
    """Random inputs, each bound and each length of a channel name among them."""
    rng = random.Random(seed)
    made = [
        {
            "app_id": "".join(rng.choices(HEX, k=32)),
            "certificate": "".join(rng.choices(HEX, k=32)),
            "channel": "".join(rng.choices(SIGNS, k=1 + number % 63)),
            "uid": rng.choice((rng.randint(1, U32_MAX), rng.randint(1, 99))),
            "publisher": rng.random() < 0.5,
            "expire_s": rng.randint(1, 86_400),
            "issued_at_s": rng.randint(1, U32_MAX - 86_400),
            "salt": rng.randint(1, 99_999_999),
        }
        for number in range(COUNT)
    ]
    edges = [("uid", 1), ("uid", U32_MAX), ("expire_s", 1), ("expire_s", 86_400), ("issued_at_s", 1)]
    edges += [("issued_at_s", U32_MAX - 86_400), ("salt", 1), ("salt", U32_MAX)]
    for ask, (field, value) in zip(made, edges, strict=False):
        ask[field] = value
    return made


def ask(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put all requests to the package, in one process of node."""
    version = json.loads((ORACLE / "node_modules" / "agora-token" / "package.json").read_text())["version"]
    assert version == "2.0.6"
    done = subprocess.run(
        ["node", str(Path(__file__).parents[1] / "npm" / "oracle.js"), str(ORACLE)],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(requests)
    return answers


def ours(one: dict[str, Any]) -> str:
    return build(
        one["app_id"],
        Secret(one["certificate"]),
        one["channel"],
        one["uid"],
        publisher=one["publisher"],
        expire_s=one["expire_s"],
        issued_at_s=one["issued_at_s"],
        salt=one["salt"],
    )


def unpacked(token: str) -> bytes:
    return zlib.decompress(base64.b64decode(token[3:]))


def privileges(one: dict[str, Any]) -> dict[int, int]:
    granted = (JOIN, PUBLISH_AUDIO) if one["publisher"] else (JOIN,)
    return dict.fromkeys(granted, one["expire_s"])


@pytest.fixture(scope="module", params=[1, 2])
def asked(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return inputs(request.param)


def test_the_package_builds_the_same_bytes_as_we_do(asked: list[dict[str, Any]]) -> None:
    answers = ask([{"do": "build", **one} for one in asked])

    assert [bytes.fromhex(answer["body"]) for answer in answers] == [unpacked(ours(one)) for one in asked]


def test_we_read_and_verify_what_the_package_builds(asked: list[dict[str, Any]]) -> None:
    answers = ask([{"do": "build", **one} for one in asked])

    for one, token in zip(asked, (answer["token"] for answer in answers), strict=True):
        read = parse(token)
        assert verify(token, Secret(one["certificate"]))
        assert not verify(token, Secret("0" * 32))
        assert (read.app_id, read.channel, read.uid, read.publisher) == (
            one["app_id"],
            one["channel"],
            one["uid"],
            one["publisher"],
        )
        assert (read.issued_at_s, read.expire_s, read.salt) == (one["issued_at_s"], one["expire_s"], one["salt"])
        assert read.privileges == privileges(one)


def test_the_package_reads_and_verifies_what_we_build(asked: list[dict[str, Any]]) -> None:
    answers = ask([{"do": "read", "token": ours(one), "certificate": one["certificate"]} for one in asked])

    assert answers == [
        {
            "read": True,
            "app_id": one["app_id"],
            "issued_at_s": one["issued_at_s"],
            "expire_s": one["expire_s"],
            "salt": one["salt"],
            "channel": one["channel"],
            "uid": str(one["uid"]),
            "privileges": {str(privilege): expire_s for privilege, expire_s in privileges(one).items()},
            "genuine": True,
        }
        for one in asked
    ]


def test_the_package_finds_our_token_forged_under_another_certificate(asked: list[dict[str, Any]]) -> None:
    answers = ask([{"do": "read", "token": ours(one), "certificate": "0" * 32} for one in asked])

    assert {answer["genuine"] for answer in answers} == {False}


def test_the_packages_own_builder_of_publishers_and_subscribers_agrees_on_who_may_speak(
    asked: list[dict[str, Any]],
) -> None:
    answers = ask([{"do": "publisher", **one} for one in asked])

    assert [parse(answer["token"]).publisher for answer in answers] == [one["publisher"] for one in asked]
