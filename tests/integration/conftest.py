"""The stand-in for Agora, as the tests of what stands on it ask for it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.agora_stub.build import stage_stub
from lab.agora_stub.hub import Hub
from lab.agora_stub.stream import Network
from tests.integration.agora_stub_rig import Start
from tests.support.agora import APP_ID, CERTIFICATE, SdkProcess


@pytest.fixture(scope="module")
def sdk_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_stub(tmp_path_factory.mktemp("agora") / "sdk")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub(APP_ID, CERTIFICATE, tmp_path / "hub", network=Network(delay_s=0.05)) as hub:
        yield hub


@pytest.fixture
def start(hub: Hub, sdk_dir: Path, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(SdkProcess(sdk_dir, tmp_path / "log", hub.path))
