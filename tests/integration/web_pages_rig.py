"""An office with people and vehicles, and pages of its dashboard in a real Chromium."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page

from dispatch.registry.words import User
from dispatch.store.sql import SqlStore
from protocol.messages import AppType, Presence, PresenceState, Session
from protocol.rest import Role
from service.settings import Secret
from tests.integration.rest_rig import BUSAN, ONE, TEN
from tests.integration.web_rig import Browser, WebOffice
from tests.support.procs import Daemon, eventually

EVIL = "<img src=x onerror=alert(1)>"
WAIT_MS = 8000


class Rig(Struct):
    office: WebOffice
    daemon: Daemon
    people: dict[str, tuple[User, Secret]]

    def signed_in(self, who: str) -> Browser:
        return self.office.signed_in(*self.people[who])


@contextmanager
def inhabited() -> Iterator[Rig]:
    """Three offices with their dashboard: people who may sign in, and vehicles."""
    folder = Path(tempfile.mkdtemp(prefix="w-"))
    with ExitStack() as stack:
        office = WebOffice(folder, stack)
        SqlStore(office.store_url).close()
        people = {
            "boss": office.person("boss", Role.ADMIN),
            "chief": office.person("chief", Role.ADMIN),
            "manager": office.person("manager", Role.CALL_MANAGER),
            "watcher": office.person("watcher", Role.MONITOR),
            "driver": office.person("driver", Role.VEHICLE_GATEWAY),
            "boss-10": office.person("boss-10", Role.ADMIN, TEN),
            "boss-busan": office.person("boss-busan", Role.ADMIN, BUSAN),
        }
        for number in range(1, 4):
            office.registry.add_user(ONE, f"car-{number}", Role.VEHICLE_GATEWAY, f"{number}호차")
        office.registry.add_user(TEN, "car-77", Role.VEHICLE_GATEWAY, "다른사무소차")
        yield Rig(office, office.start(), people)
    shutil.rmtree(folder, ignore_errors=True)


def sign_in(page: Page, rig: Rig, who: str = "boss") -> None:
    user, secret = rig.people[who]
    page.goto(rig.office.origin + "/")
    page.fill('input[name="login"]', user.login)
    page.fill('input[name="secret"]', secret.reveal())
    page.keyboard.press("Enter")
    page.wait_for_selector('#line[data-state="up"]')


def opened(chromium: Chromium) -> BrowserContext:
    made = chromium.new_context(ignore_https_errors=True, locale="ko-KR", viewport={"width": 1180, "height": 900})
    made.set_default_timeout(WAIT_MS)
    return made


# --- at an office ------------------------------------------------------------------------------------------


_rev = iter(range(1, 10_000))
event_numbers = iter(range(1, 10_000))


def session(speaker: str | None, *, active: bool = True, burst: int = 1) -> Session:
    now = time.time_ns() // 1_000_000
    name = None if speaker is None else f"{speaker[-1]}호차"
    return Session(
        rev=next(_rev),
        store="s",
        active=active,
        channel_name="c",
        burst=burst,
        current_speaker=speaker,
        speaker_name=name,
        event_id="e1",
        started_at=now - 2000,
    )


def there(name: str | None, in_channel: str | None = None, state: PresenceState = PresenceState.ONLINE) -> Presence:
    return Presence(
        state=state,
        connection_id=(1, 1, next(_rev)),
        presence_no=1,
        name=name,
        in_channel=in_channel,
        app_type=AppType.VEHICLE_GATEWAY,
    )


def shown(page: Page, selector: str, text: str, timeout_s: float = 5.0) -> float:
    """Wait until there is this text; gives the seconds it took."""
    began = time.monotonic()
    eventually(lambda: text in (page.text_content(selector) or ""), timeout_s, f"{text!r} in {selector}")
    return time.monotonic() - began
