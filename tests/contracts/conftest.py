"""Registries of every kind, as the tests of registries ask for them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.registry.sql import SqlRegistry
from tests.contracts.registry_rig import BACKENDS, Clock, Opener, make_opener, two_offices


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    with contextlib.ExitStack() as stack:
        yield make_opener(request.param, tmp_path, clock, stack)


@pytest.fixture
def empty(opener: Opener) -> SqlRegistry:
    return opener()


@pytest.fixture
def registry(empty: SqlRegistry) -> SqlRegistry:
    return two_offices(empty)
