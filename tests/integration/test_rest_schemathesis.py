"""Schemathesis over the OpenAPI document that the real service serves: with a login, without one, on another's data."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.rest_rig import ONE, RestOffice
from tests.support.procs import Daemon

EXAMPLES_MAX = 60
LEAST = 200
"""So many calls at least are made in each run."""
WHOLE_S = 60


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RestOffice, Daemon]]:
    with ExitStack() as stack:
        made = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        yield made, made.start()


def probe(office: RestOffice, *more: str) -> str:
    """Run Schemathesis with every check it has; AssertionError with its report where one fails."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{office.url}/v1/openapi.json"),
            *("--tls-verify", str(office.broker.ca), "--checks", "all", "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(EXAMPLES_MAX), "--seed", "7", "--generation-database", "none", "--no-color"),
            *("--request-timeout", "10", *more),
        ],
        cwd=office.folder,
        capture_output=True,
        text=True,
        timeout=WHOLE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def all_passed(report: str) -> int:
    """Give how many calls were made; AssertionError where one did not pass."""
    found = re.search(r"(\d+) generated, (\d+) passed", report)
    assert found is not None, report
    assert found[1] == found[2], report
    return int(found[1])


def test_the_document_holds_for_a_member(running: tuple[RestOffice, Daemon]) -> None:
    office, service = running
    caller = office.member("probe")
    assert caller.secret is not None

    report = probe(office, "--auth", f"{caller.login}:{caller.secret.reveal()}")

    assert all_passed(report) >= LEAST
    assert "Traceback" not in service.log
    assert caller.token().status_code == 200


def test_the_document_holds_for_a_stranger(running: tuple[RestOffice, Daemon]) -> None:
    office, service = running

    report = probe(office)

    assert all_passed(report) >= LEAST
    assert "Traceback" not in service.log
    assert office.registry.codes(ONE) == ()
