"""An office as an operator sets one up: `ptt-dispatch init`, the broker, both services, one code a vehicle."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from lab.broker import free_port
from lab.process import LabFailed, Process
from lab.secure_broker import SecureBroker
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import VoicePath
from protocol.rest import HEALTH_PATH
from service.mqtt import BrokerSettings
from service.settings import Secret, read_secret

OFFICE = OfficeId("seoul", "demo")
HOST = "127.0.0.1"
COMMAND_S = 60.0
WATCHER = "watcher"
READY_S = 60.0
AGORA_APP = "0123456789abcdef0123456789abcdef"
"""Of the stand-in: there is no such project."""


class Office:
    """A whole office on loopback. What it starts is ended by `stack`; commands raise LabFailed with what they said."""

    def __init__(self, folder: Path, logs: Path, stack: ExitStack) -> None:
        self.folder = folder / "office"
        self.logs = logs
        self.config = self.folder / "dispatch.toml"
        self.broker_port = free_port()
        self.rest_port = free_port()
        self.websocket_port = free_port()
        self._stack = stack
        self.broker: SecureBroker
        self.dispatch: Process
        self.rest: Process

    def make(
        self,
        voice: VoicePath,
        agora_certificate: Secret | None,
        floor: str = "",
        *,
        name: str = "데모",
        web_port: int = 8444,
    ) -> None:
        """`ptt-dispatch init`, the Agora project where there is one, and the office's `floor` rules (lines of TOML).

        `web_port`: of the dashboard, for who starts one.
        """
        self.command(
            *("init", "--dir", str(self.folder), "--store", str(self.folder / "office.db"), "--name", name),
            *("--secrets", str(self.folder / "secrets"), "--broker-dir", str(self.folder / "broker")),
            *("--region", OFFICE.region, "--office", OFFICE.office, "--host", HOST, "--voice", voice.value),
            *("--listen", HOST, "--broker-port", str(self.broker_port), "--rest-port", str(self.rest_port)),
            *("--websocket-port", str(self.websocket_port), "--web-port", str(web_port)),
        )
        if floor:
            with self.config.open("a", encoding="utf-8") as file:
                file.write(f'\n[[office]]\nregion = "{OFFICE.region}"\noffice = "{OFFICE.office}"\n{floor}\n')
        if agora_certificate is not None:
            with self.config.open("a", encoding="utf-8") as file:
                file.write(f'\n[agora]\napp_id = "{AGORA_APP}"\n')
            secret = self.folder / "secrets" / "ptt.agora-certificate"
            with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(agora_certificate.reveal())

    def start(self) -> None:
        """Start the broker and both services; returns once codes can be exchanged."""
        run = self.folder / "mosquitto"
        run.mkdir()
        made = self.folder / "broker"
        self.broker = SecureBroker(made=made, port=self.broker_port, folder=run)
        self._stack.enter_context(self.broker)
        self._stack.callback(self._keep_broker_log)
        config = ["--config", str(self.config)]
        self.dispatch = Process("dispatch", "dispatch", ["serve", *config], self.logs / "dispatch.log")
        self._stack.callback(self.dispatch.end)
        self.rest = Process("rest", "dispatch", ["rest", *config], self.logs / "rest.log")
        self._stack.callback(self.rest.end)
        self._await_rest()

    def code(self, user: str, name: str) -> tuple[str, str]:
        """`ptt-dispatch device code`: give the URL and the one-time code."""
        said = self.command("device", "code", user, "--create", "--name", name, "--json", office=True)
        made: dict[str, Any] = json.loads(said)
        return str(made["url"]), str(made["code"])

    @property
    def server_secret(self) -> Secret:
        """Of the floor control server's own login: the demo watches with it what a monitor may not see."""
        return read_secret(self.server_secret_file)

    @property
    def server_secret_file(self) -> Path:
        """The file of that secret."""
        return self.folder / "secrets" / "ptt.mqtt-password"

    @property
    def server_access(self) -> BrokerSettings:
        """How the server's login reaches the broker."""
        return self.broker.settings(SERVER_LOGIN, self.server_secret)

    @property
    def watcher_secret(self) -> Path:
        """The file of the monitor's secret."""
        return self.folder / f"{WATCHER}.secret"

    def add_watcher(self) -> None:
        """`ptt-dispatch user add`: a monitor for `ptt watch`."""
        secret = ("--secret-file", str(self.watcher_secret))
        self.command("user", "add", WATCHER, "--role", "monitor", "--name", WATCHER, *secret, office=True)

    def command(self, *arguments: str, office: bool = False) -> str:
        """Run `ptt-dispatch` to its end and give what it printed."""
        return run_command("dispatch", [*arguments, *self._place(arguments, office)])

    def _place(self, arguments: Sequence[str], office: bool) -> list[str]:
        if arguments[0] == "init":
            return []
        return ["--config", str(self.config), *(["--office", str(OFFICE)] if office else [])]

    def _await_rest(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(requests.RequestException):
                url = f"https://{HOST}:{self.rest_port}{HEALTH_PATH}"
                if requests.get(url, verify=str(self.folder / "ca.pem"), timeout=2).ok:
                    return
            if not self.rest.running or time.monotonic() > deadline:
                raise LabFailed(f"ptt-dispatch rest does not answer; see {self.rest.log}")
            time.sleep(0.05)

    def _keep_broker_log(self) -> None:
        with contextlib.suppress(OSError):
            shutil.copy(self.broker.folder / "mosquitto.log", self.logs / "mosquitto.log")


def run_command(module: str, arguments: Sequence[str], stdin: str = "") -> str:
    """Run one of our commands to its end and give what it printed; raises LabFailed with its own words."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabFailed(f"{module} {arguments[0]} did not end within {COMMAND_S:.0f} s: {error.stderr!r}") from None
    if done.returncode:
        raise LabFailed(f"{module} {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
