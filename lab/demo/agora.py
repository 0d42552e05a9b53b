"""The stand-in for Agora in the demo: our own hub and the unmodified SDK package on a library of our own making.

It proves nothing about Agora's real library or cloud; it shows that the product's side of Agora does what it must.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from lab.agora_stub.build import CannotBuild, stage_stub
from lab.agora_stub.hub import Hub
from lab.agora_stub.stream import Network
from lab.office import AGORA_APP
from lab.process import LabFailed
from service.settings import Secret

DELAY_S = 0.12
"""How long the stand-in's network takes; Agora's own is said to take some 0.2 s."""
JOIN_S = 0.3


class AgoraStandIn:
    """A hub and a staged SDK in `folder`. Raises LabFailed where it cannot be built."""

    def __init__(self, folder: Path) -> None:
        self.sdk_dir = folder / "sdk"
        self.socket = folder / "hub.sock"
        self.certificate = Secret(secrets.token_hex(16))
        self._stack = ExitStack()
        self.hub: Hub

    @property
    def environ(self) -> dict[str, str]:
        """What a vehicle's environment needs so that its SDK finds the hub."""
        return {"AGORA_STUB_SOCKET": str(self.socket)}

    def __enter__(self) -> AgoraStandIn:
        """Build and listen."""
        try:
            stage_stub(self.sdk_dir)
        except CannotBuild as error:
            raise LabFailed(str(error)) from error
        hub = Hub(AGORA_APP, self.certificate.reveal(), self.socket, join_s=JOIN_S, network=Network(delay_s=DELAY_S))
        self.hub = self._stack.enter_context(hub)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be gone."""
        self._stack.close()
