"""A real `ptt-dispatch web` over TLS, with a registry, a store, a broker with its doors, and browsers' requests."""

from __future__ import annotations

import html
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.words import User
from lab.broker import free_port
from protocol.codec import encode
from protocol.ids import OfficeId
from protocol.messages import Message
from protocol.rest import Role
from protocol.topics import Kind, topic
from service.settings import Secret
from tests.integration.door_rig import Doors
from tests.integration.rest_rig import ONE, RestOffice
from tests.support.procs import Daemon

JSON_BLOCK = re.compile(r'<script type="application/json" id="start">(.*?)</script>', re.S)
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class WebOffice(RestOffice):
    """The offices of RestOffice, and their dashboard."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.web_port = free_port()
        super().__init__(folder, stack)
        self.origin = f"https://127.0.0.1:{self.web_port}"
        self.doors = Doors()
        stack.callback(self.doors.close)
        self.enter()

    def enter(self) -> None:
        """Connect as the office's server, once more after the broker was away."""
        self._server = self.doors.enter(self.broker.server_settings(), "test-server")

    def write_config(self, agora: str = "", admission: str = "registry", **rest: Any) -> None:
        super().write_config("", admission, **rest)
        table = f'[web]\nhost = "127.0.0.1"\nport = {self.web_port}\n'
        self.config.write_text(self.config.read_text() + table)

    def launch(self) -> Daemon:
        return self._daemons.python("web", "-m", "dispatch", "web", "--config", self.config)

    def person(self, user: str, role: Role, office: OfficeId = ONE) -> tuple[User, Secret]:
        """Add somebody who can sign in."""
        made, secret = self.add(user, role, office), new_secret()
        self.registry.set_secret(office, user, hash_secret(secret))
        return made, secret

    def publish(self, office: OfficeId, kind: Kind, *ids: str, message: Message | None) -> None:
        """Publish as the office's server does, retained."""
        payload = b"" if message is None else encode(message)
        retained = kind not in (Kind.EVENTS, Kind.COMMAND_REPLY)
        done = self.doors.publish(self._server, {topic(office, kind, *ids): payload}, retain=retained)
        assert all(done.values())

    def browser(self) -> Browser:
        """Give one that nobody has signed in at."""
        return self._stack.enter_context(Browser(self))

    def signed_in(self, user: User, secret: Secret) -> Browser:
        """Give one that this user has signed in at."""
        browser = self.browser()
        answer = browser.sign_in(user.login, secret.reveal())
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """Requests as a browser sends them: with cookies and the origin of our own pages."""

    def __init__(self, office: WebOffice) -> None:
        self._office = office
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(office.broker.ca)
        self.session.headers["Accept-Language"] = "en"

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self._office.origin + path, timeout=15, allow_redirects=False, **more)

    def post(self, path: str, fields: dict[str, str], origin: str | None = None) -> requests.Response:
        headers = {"Origin": self._office.origin if origin is None else origin}
        url = self._office.origin + path
        return self.session.post(url, data=fields, headers=headers, timeout=15, allow_redirects=False)

    def sign_in(self, login: str, secret: str, origin: str | None = None) -> requests.Response:
        return self.post("/signin", {"login": login, "secret": secret}, origin)

    def csrf(self) -> str:
        """Give the token of this session's forms."""
        found = CSRF.search(self.get("/").text)
        assert found is not None
        return html.unescape(found[1])

    def send(self, path: str, **fields: str) -> requests.Response:
        """Send a form of ours."""
        return self.post(path, {"csrf": self.csrf(), **fields})
