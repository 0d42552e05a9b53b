"""The console of an office whose voice is Agora: who gets a token, the Web SDK under our policy, going without it."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from dispatch.rest.problems import MEDIA_TYPE
from dispatch.settings import AGORA_HOSTS
from dispatch.tokens.access_token2 import JOIN, PUBLISH_AUDIO, parse, verify
from dispatch.web.agora_desk import BURST
from dispatch.web.agora_sdk import FILE_NAME, SDK_PATH, VERSION, stage
from protocol.messages import VoicePath
from protocol.rest import Role
from tests.integration.rest_rig import AGORA, APP_ID, CERTIFICATE
from tests.support.chromium import headless
from tests.support.console_office import DESK, OFFICE, ConsoleOffice, Visitor
from tests.support.npm import SDK_FILE
from tests.support.procs import eventually

WAIT_MS = 10_000
REPORTED = re.compile(r"connect-src (\S+\.)?statscollector(-\d)?\.(agora\.io|sd-rtn\.com)")
"""Where the SDK reports to from its first call on: our policy refuses that, and nothing else it does."""


@pytest.fixture(scope="module")
def office() -> Iterator[ConsoleOffice]:
    folder = Path(tempfile.mkdtemp(prefix="a-"))
    with ExitStack() as stack:
        certificate = f'certificate = "{CERTIFICATE.reveal()}"\n'
        made = ConsoleOffice(folder, stack, voice=VoicePath.AGORA, more=AGORA + certificate)
        made.add("watcher", Role.MONITOR)
        made.add("second", Role.CALL_MANAGER)
        made.web()
        yield made
    shutil.rmtree(folder)


@pytest.fixture
def folder(office: ConsoleOffice) -> Iterator[Path]:
    """Where the SDK is staged; nothing is, before and behind a test."""
    made = office.folder / "agora-web"
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless() as browser:
        yield browser


@pytest.fixture
def page(office: ConsoleOffice, chromium: Browser) -> Iterator[Page]:
    """A page of the call manager, signed in."""
    context = chromium.new_context(ignore_https_errors=True, locale="ko-KR")
    made = context.new_page()
    made.goto(office.origin + "/signin")
    made.fill('input[name="login"]', office.desk.user.login)
    made.fill('input[name="secret"]', office.desk.secret.reveal())
    made.keyboard.press("Enter")
    made.wait_for_selector("nav")
    yield made
    context.close()


def refused(visitor: Visitor, **fields: str) -> tuple[int, str]:
    """Ask for a token that is not given; status, and the problem's last part."""
    answer = visitor.send("/console/token", **fields)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def policy(visitor: Visitor, path: str = "/console") -> str:
    return visitor.get(path).headers["content-security-policy"]


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_call_manager_gets_a_token_for_the_own_uid_and_office(office: ConsoleOffice, folder: Path) -> None:
    stage(SDK_FILE, folder)
    desk = office.visitor(office.desk)

    made: dict[str, Any] = desk.send("/console/token").json()

    kept = office.registry.office(OFFICE)
    assert kept is not None
    assert (made["app_id"], made["channel"], made["uid"]) == (APP_ID, kept.channel, office.desk.user.uid)
    assert (made["publisher"], made["expires_in_s"]) == (True, 600)
    assert (made["sdk"], made["sdk_version"]) == (SDK_PATH, VERSION)
    token = parse(made["token"])
    assert verify(made["token"], CERTIFICATE)
    assert (token.channel, token.uid) == (kept.channel, office.desk.user.uid)
    assert set(token.privileges) == {JOIN, PUBLISH_AUDIO}


def test_how_long_a_token_took_is_recorded(office: ConsoleOffice, folder: Path) -> None:
    stage(SDK_FILE, folder)
    desk = office.visitor(office.desk)
    desk.send("/console/token")
    later = time.monotonic() + 1.1  # the registry writes those of a second together

    eventually(lambda: time.monotonic() > later, 5, "a second is over")
    desk.send("/console/token")

    oldest = office.registry.token_issues(OFFICE, 0)[0]
    assert (oldest.user, oldest.publisher) == (DESK, True)
    assert oldest.took_us >= 0


def test_nobody_else_gets_one(office: ConsoleOffice, folder: Path) -> None:
    stage(SDK_FILE, folder)
    watcher = office.visitor(office.people["watcher"])
    desk = office.visitor(office.desk)
    stranger = office.visitor()

    assert stranger.post("/console/token", {"csrf": desk.csrf()}).status_code == 401
    assert refused(watcher) == (403, "console_role")
    assert desk.post("/console/token", {"csrf": watcher.csrf()}).json()["type"].endswith(":error_csrf")
    assert desk.post("/console/token", {"csrf": desk.csrf()}, "https://elsewhere.example").status_code == 403


def test_an_office_whose_voice_is_mqtt_gives_none_and_reaches_nobody(office: ConsoleOffice, folder: Path) -> None:
    stage(SDK_FILE, folder)
    desk = office.visitor(office.desk)
    office.registry.change_office(OFFICE, voice=VoicePath.MQTT)
    try:
        assert refused(desk) == (409, "agora_not_used")
        assert "agora" not in policy(desk)
    finally:
        office.registry.change_office(OFFICE, voice=VoicePath.AGORA)


def test_who_asks_too_often_is_told_how_long_to_wait(office: ConsoleOffice, folder: Path) -> None:
    stage(SDK_FILE, folder)
    second = office.visitor(office.people["second"])
    csrf = second.csrf()

    answers = [second.post("/console/token", {"csrf": csrf}) for _ in range(BURST + 1)]

    assert [answer.status_code for answer in answers] == [200] * BURST + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert office.visitor(office.desk).send("/console/token").status_code == 200


# --- the SDK ----------------------------------------------------------------------------------------------------------


def test_without_the_sdk_there_is_no_token_no_file_and_no_wider_policy(office: ConsoleOffice, folder: Path) -> None:
    desk = office.visitor(office.desk)

    assert refused(desk) == (503, "agora_not_staged")
    assert desk.get(SDK_PATH).status_code == 404
    assert "agora" not in policy(desk)

    stage(SDK_FILE, folder)
    assert desk.get(SDK_PATH).content == SDK_FILE.read_bytes()
    assert [host for host in AGORA_HOSTS if host not in policy(desk)] == []
    assert "agora" not in policy(desk, "/kpi")

    (folder / FILE_NAME).write_bytes(b"alert(1)")
    assert refused(desk) == (503, "agora_not_staged")
    assert desk.get(SDK_PATH).status_code == 404


def test_the_real_package_runs_under_our_policy_and_cannot_report_anywhere(
    office: ConsoleOffice, folder: Path, page: Page
) -> None:
    stage(SDK_FILE, folder)
    page.goto(office.origin + "/console")
    page.wait_for_selector('body[data-console="ready"]')

    found = page.evaluate(
        """async (path) => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
            refused.push(`${violatedDirective} ${new URL(blockedURI).hostname}`);
          });
          const told = () => new Promise((resolve) => setTimeout(resolve, 100));
          const sdk = (await import(path)).default;
          sdk.setLogLevel(4);
          const client = sdk.createClient({ mode: "live", codec: "vp8" });
          await client.setClientRole("audience");
          await told();
          const loading = [...refused];
          await fetch("https://logservice.agora.io/").catch(() => null);
          await told();
          const used = ["join", "leave", "publish", "unpublish", "subscribe", "unsubscribe", "renewToken", "on"];
          return {
            version: sdk.VERSION, system: sdk.checkSystemRequirements(), state: client.connectionState,
            role: client.role,
            missing: used.filter((name) => typeof client[name] !== "function"), loading, refused,
          };
        }""",
        SDK_PATH,
    )

    assert found["version"] == VERSION
    assert (found["system"], found["state"], found["role"]) == (True, "DISCONNECTED", "audience")
    assert found["missing"] == []
    assert [each for each in found["loading"] if not REPORTED.fullmatch(each)] == []
    assert "connect-src logservice.agora.io" in found["refused"]


def test_a_console_without_the_sdk_says_so_and_is_there_all_the_same(office: ConsoleOffice, page: Page) -> None:
    page.goto(office.origin + "/console")
    page.wait_for_selector('body[data-console="ready"]')
    page.click("#begin")

    page.wait_for_selector("#trouble-agora", timeout=WAIT_MS)

    assert "Agora Web SDK가 설치되지 않았습니다" in page.inner_text("#trouble-agora")
    page.wait_for_selector('#line[data-state="up"]', timeout=WAIT_MS)
