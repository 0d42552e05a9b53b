"""`ptt-dispatch web`: its pages in a real Chromium, and what it shows and does to whom over the network."""

from __future__ import annotations

import html
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from msgspec import Struct
from msgspec.structs import replace
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page

from dispatch.core import notices
from dispatch.core.turn import Turn
from dispatch.registry.port import CodeRefused
from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.registry.words import User
from dispatch.store.sql import SqlStore
from dispatch.traces.store import Arrived, TraceStore
from dispatch.web.agora_sdk import SDK_PATH
from dispatch.web.model import BURSTS_SHOWN
from dispatch.web.past import CHART_DAYS
from dispatch.web.static_files import static_files
from protocol.codec import decode, encode
from protocol.enrol_code import parse_code
from protocol.messages import (
    Alert,
    AppType,
    Command,
    CommandReply,
    DeviceState,
    Event,
    EventType,
    Presence,
    PresenceState,
    PressTrace,
    Session,
    Severity,
    Telemetry,
    TracedWord,
    VoiceHealth,
)
from protocol.rest import Role
from protocol.topics import Kind, topic
from service.settings import Secret
from tests.integration.rest_rig import BUSAN, ONE, TEN
from tests.integration.web_rig import JSON_BLOCK, Browser, WebOffice
from tests.support.chromium import headless
from tests.support.procs import ROOT, Daemon, eventually

PICTURES = ROOT / "build" / "web"
"""Pictures for the documents."""
EVIL = "<img src=x onerror=alert(1)>"
WAIT_MS = 8000
ROUTES = {
    "GET": (
        "/",
        "/kpi",
        "/history",
        "/admin",
        "/vehicle/{user}",
        "/vehicle/{user}/presses",
        "/press/{user}?at=1&request=0.5.1.1",
        "/admin/{user}/revoke",
        "/live?vehicle={user}",
        "/me",
    ),
    "POST": (
        "/signout",
        "/vehicle/{user}/command",
        "/admin/add",
        "/admin/{user}/code",
        "/admin/{user}/rotate",
        "/admin/{user}/revoke",
        "/admin/{user}/restore",
    ),
}
"""Every route that shows or does anything of an office."""
OPEN = {"/signin", "/lang", "/healthz", "/static/{name:path}", "/live", "/console", "/console/token", SDK_PATH} | {
    *("/console/login", "/console/state"),
}
"""The others; /live stands above with its parameter."""


class Rig(Struct):
    office: WebOffice
    daemon: Daemon
    people: dict[str, tuple[User, Secret]]

    def signed_in(self, who: str) -> Browser:
        return self.office.signed_in(*self.people[who])


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with headless() as browser:
        yield browser


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


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    """A browser that nobody has signed in at."""
    made = opened(chromium)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bosses(rig: Rig, chromium: Chromium) -> Iterator[BrowserContext]:
    """A browser that the admin has signed in at."""
    made = opened(chromium)
    sign_in(made.new_page(), rig, "chief")  # boss signs in so often that his first session ends
    made.pages[0].close()
    yield made
    made.close()


@pytest.fixture
def page(rig: Rig, bosses: BrowserContext) -> Iterator[Page]:
    """The office's page; whatever the browser complains of is an error."""
    made = bosses.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    made.goto(rig.office.origin + "/")
    made.wait_for_selector('#line[data-state="up"]')
    yield made
    made.close()
    assert [text for text in complaints if "net::ERR" not in text] == []


# --- at an office ------------------------------------------------------------------------------------------

_rev = iter(range(1, 10_000))
_event_no = iter(range(1, 10_000))


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


def test_the_office_page_shows_what_happens_without_being_loaded_anew(page: Page, rig: Rig) -> None:
    office = rig.office
    page.evaluate("window.mine = 1")
    for user in ("car-1", "car-2"):
        office.publish(ONE, Kind.PRESENCE, user, message=there(f"{user[-1]}호차", "e1"))
    office.publish(ONE, Kind.DEVICE_STATE, "car-1", message=DeviceState(floor="U", keyed=True, voice=VoiceHealth()))
    deaf = VoiceHealth(playback=False)
    office.publish(ONE, Kind.DEVICE_STATE, "car-2", message=DeviceState(floor="U", keyed=False, voice=deaf))
    office.publish(ONE, Kind.SESSION, message=session("car-1"))

    shown(page, "#session", "1호차 발언 중")
    shown(page, "#card-sessions", "1")
    shown(page, "#card-participants", "2")
    shown(page, "#members", "스피커 없음")
    first = page.text_content("#talked")
    eventually(lambda: page.text_content("#talked") != first, 3, "the elapsed time goes on")

    now = time.time_ns() // 1_000_000
    for kind, at, more in (
        (EventType.SPEAKER_CHANGED, now - 3000, {"burst": 1, "priority": "normal"}),
        (EventType.BURST_ENDED, now, {"burst": 1, "ended": "released"}),
        (EventType.BURST_HEARD, now, {"burst": 1, "heard_by": 1, "heard_of": 1}),
    ):
        event = Event(no=next(_event_no), event=kind, at=at, user="car-1", name="1호차", metadata=more)
        office.publish(ONE, Kind.EVENTS, message=event)
    shown(page, "#bursts", "3.0초")
    shown(page, "#bursts", "1명 중 1명")

    warning = Alert(alert="hot", severity=Severity.CRITICAL, what="85 °C", mend="shade it", since=now)
    office.publish(ONE, Kind.ALERT, "car-2", "hot", message=warning)
    shown(page, "#alerts", "85 °C")
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "office.png")
    office.publish(ONE, Kind.ALERT, "car-2", "hot", message=None)
    shown(page, "#alerts", "경보가 없습니다")
    office.publish(ONE, Kind.SESSION, message=session(None, active=False))
    shown(page, "#session", "진행 중인 세션이 없습니다")
    assert page.evaluate("window.mine") == 1


def test_names_with_markup_are_shown_as_they_are_written_and_run_nowhere(page: Page, rig: Rig) -> None:
    rig.office.registry.add_user(ONE, "car-evil", Role.VEHICLE_GATEWAY, EVIL)
    rig.office.publish(ONE, Kind.PRESENCE, "car-evil", message=there(EVIL[:64]))

    shown(page, "#members", EVIL)
    page.goto(f"{rig.office.origin}/vehicle/car-evil")
    shown(page, "h1", EVIL)
    page.goto(f"{rig.office.origin}/admin")
    shown(page, "main", EVIL)
    assert page.locator('img[src="x"]').count() == 0


def test_a_page_is_full_without_any_further_request_and_a_change_is_seen_within_half_a_second(
    page: Page, rig: Rig
) -> None:
    rig.office.publish(ONE, Kind.PRESENCE, "car-3", message=there("3호차"))
    shown(page, "#members", "3호차")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route(re.compile(r"/live\?"), lambda route: route.abort())
    page.goto(rig.office.origin + "/")
    shown(page, "#members", "3호차")
    assert not [url for url in asked if "/live" not in url and "/static/" not in url and not url.endswith(("/", "/me"))]

    other = page.context.new_page()
    other.goto(rig.office.origin + "/")
    other.wait_for_selector('#line[data-state="up"]')
    rig.office.publish(ONE, Kind.SESSION, message=session("car-3", burst=9))
    assert shown(other, "#session", "3호차 발언 중") < 0.5
    rig.office.publish(ONE, Kind.SESSION, message=session(None, active=False, burst=9))
    other.close()


def test_a_page_can_be_used_by_keyboard_and_fits_a_phone(page: Page, rig: Rig) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    focused = []
    for _ in range(8):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.textContent"))
    assert {"현황", "KPI", "이력", "사용자·장치", "English", "로그아웃"} <= set(focused)

    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", "/kpi", "/history", "/admin", "/vehicle/car-1"):
        page.goto(rig.office.origin + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, (path, wide)
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button,a,input:not([type=hidden]),select')].filter((each) =>"
            " !(each.textContent.trim() || each.labels?.[0]?.textContent.trim() || each.ariaLabel)).length"
        )
        assert unnamed == 0, path
        assert page.locator("h1").count() == 1
    page.goto(rig.office.origin + "/")
    page.wait_for_selector('#line[data-state="up"]')
    page.screenshot(path=PICTURES / "phone.png")


def test_the_language_is_changed_on_any_page_and_stays(page: Page, rig: Rig) -> None:
    page.goto(rig.office.origin + "/kpi")
    page.click("text=English")
    page.wait_for_selector("text=KPIs of the plan")
    assert page.url.endswith("/kpi")
    page.goto(rig.office.origin + "/")
    shown(page, "dl.cards", "Active sessions")
    page.click("text=한국어")
    shown(page, "dl.cards", "활성 세션")


def test_a_vehicles_page_shows_its_state_and_its_answers_against_the_target(page: Page, rig: Rig) -> None:
    presses = {"presses": 7, "granted": 6, "denied": {"another_has_permission": 1}}
    measured = Telemetry(at=1, uptime_s=3700, temperature_c=61.5)
    counts = replace(measured.presses, **presses, answer_ms_p50=42.0, answer_ms_p99=180.0)
    page.goto(f"{rig.office.origin}/vehicle/car-1")

    rig.office.publish(ONE, Kind.DEVICE_TELEMETRY, "car-1", message=replace(measured, presses=counts))

    shown(page, "#v-telemetry", "61.5 °C")
    shown(page, "#v-presses", "42 ms · 목표 100 ms 이내")
    shown(page, "#v-presses", "180 ms · 목표 100 ms 초과")
    shown(page, "#v-presses", "다른 사람이 발언 중 1")
    page.screenshot(path=PICTURES / "vehicle.png")


# --- admin -----------------------------------------------------------------------------------------------------


def test_a_device_is_added_and_gets_a_code_with_its_qr_and_is_revoked(page: Page, rig: Rig) -> None:
    page.goto(rig.office.origin + "/admin")
    page.fill('input[name="user"]', "car-9")
    page.fill('input[name="name"]', "9호차")
    page.select_option('select[name="role"]', "vehicle_gateway")
    page.click('form[action="/admin/add"] button')
    shown(page, ".notice", "9호차 추가됨")

    page.click('form[action="/admin/car-9/code"] button')
    page.wait_for_selector("svg.qr")
    page.screenshot(path=PICTURES / "code.png")
    code = parse_code(page.text_content("#code") or "")
    kept = [each for each in rig.office.registry.codes(ONE) if each.user == "car-9"]
    assert [each.digest for each in kept] == [code_digest(code.secret)]

    page.goto(f"{rig.office.origin}/admin/car-9/revoke")
    page.fill('input[name="why"]', "도난")
    page.click("form.card button.danger")
    shown(page, ".notice", "9호차 차단 완료")
    found = rig.office.registry.user(ONE, "car-9")
    assert found is not None
    assert (found.revoked_at is not None, found.revoked_why) == (True, "도난")
    with pytest.raises(CodeRefused):
        rig.office.registry.enrol(code_digest(code.secret), "a1" * 8, hash_secret(new_secret()), lambda *_: None)


def test_a_new_person_gets_a_secret_once_and_may_sign_in_and_a_rotated_one_ends_the_session(rig: Rig) -> None:
    boss = rig.signed_in("boss")
    made = boss.send("/admin/add", user="eve", name="Eve", role="monitor")
    found = re.search(r'id="secret">([\w-]{43})<', made.text)
    assert found is not None
    eve = rig.office.browser()
    assert eve.sign_in("seoul.1.eve", found[1]).status_code == 303
    assert eve.get("/").status_code == 200

    again = boss.send("/admin/eve/rotate")

    assert re.search(r'id="secret">([\w-]{43})<', again.text)
    assert eve.get("/").headers["location"] == "/signin?why=over"
    assert found[1] not in boss.get("/admin").text


def test_a_transmitter_is_muted_and_the_vehicles_own_answer_is_shown(rig: Rig) -> None:
    doors = rig.office.doors
    car = doors.enter(rig.office.broker.server_settings(), "test-car")
    doors.subscribe(car, [topic(ONE, Kind.COMMAND, "car-1")])
    answers: list[requests.Response] = []
    manager = rig.signed_in("manager")
    token = manager.csrf()
    fields = {"csrf": token, "op": "mute"}
    asking = threading.Thread(target=lambda: answers.append(manager.post("/vehicle/car-1/command", fields)))
    asking.start()
    doors.until(lambda: bool(car.received), "a command")
    command = decode(car.received[0].payload, Kind.COMMAND)
    assert isinstance(command, Command)
    assert (command.op, command.by) == ("mute_transmitter", "seoul.1.manager")
    reply = CommandReply(id=command.id, op=command.op, ok=True, what="transmitter muted")
    doors.publish(car, {topic(ONE, Kind.COMMAND_REPLY, "car-1"): encode(reply)})
    asking.join(10)

    assert "transmitter muted" in answers[0].text


def test_a_vehicles_presses_lead_to_one_that_says_why_it_could_not_talk_and_to_no_others(rig: Rig) -> None:
    at = time.time_ns() // 1_000_000
    said = PressTrace(
        request_id=(0, 5, 1, 1), edge_at=at, edge_error_ms=4, told=(TracedWord(ms=61, what="denied"),), speaker="three"
    )
    store = TraceStore(rig.office.store_url)
    whose = ((ONE, "car-1"), (TEN, "car-77"))
    store.put([Arrived(office=office, user=user, received_at=at, said=said) for office, user in whose])
    store.close()
    boss = rig.signed_in("boss")
    listed = boss.get("/vehicle/car-1/presses").text
    found = re.search(r'href="(/press/car-1[^"]+)"', listed)

    assert "/vehicle/car-1/presses" in boss.get("/vehicle/car-1").text
    assert found is not None
    shown = boss.get(html.unescape(found[1]))
    assert (shown.status_code, "DENIED: three was speaking" in shown.text) == (200, True)
    assert boss.get(f"/press/car-77?at={at}&request=0.5.1.1").status_code == 404
    assert boss.get(f"/press/car-1?at={at}&request=0.5.1.2").status_code == 404
    assert boss.get("/vehicle/car-1/presses?only=x").status_code == 400
    assert boss.get("/vehicle/car-1/presses?day=2999-01-01").status_code == 400


# --- who may what --------------------------------------------------------------------------------------------


def test_every_route_is_in_the_tables_of_these_tests() -> None:
    from dispatch.web import app

    class Nothing:
        def __getattr__(self, name: str) -> Nothing:
            return Nothing()

    made = app.make_app(Nothing())  # type: ignore[arg-type]
    known = {path.partition("?")[0] for paths in ROUTES.values() for path in paths} | OPEN
    assert {route.path.replace("{user:str}", "{user}") for route in made.routes} == known


def test_nothing_is_shown_or_done_for_who_is_not_signed_in(rig: Rig) -> None:
    stranger = rig.office.browser()
    for path in ROUTES["GET"]:
        answer = stranger.get(path.format(user="car-1"))
        assert answer.status_code in (303, 401), path
        assert "호차" not in answer.text
    for path in ROUTES["POST"]:
        answer = stranger.post(path.format(user="car-1"), {"user": "x", "name": "x", "role": "admin", "op": "mute"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/signin"), path


def test_an_admin_sees_and_changes_the_own_office_alone(rig: Rig) -> None:
    rig.office.publish(TEN, Kind.PRESENCE, "car-77", message=there("다른사무소차"))
    rig.office.publish(TEN, Kind.SESSION, message=session("car-77"))
    before = rig.office.registry.users(TEN)
    boss = rig.signed_in("boss")
    foreign = ("car-77", "boss-10", "seoul.10.car-77", "..%2F10%2Fcar-77", "seoul%2F10%2Fcar-77", "car-77%00")
    for user in foreign:
        for path in ROUTES["GET"]:
            answer = boss.get(path.format(user=user))
            assert "다른사무소차" not in answer.text, path
            assert answer.status_code == (404 if "{user}" in path else 200), (path, user)
        for path in (each for each in ROUTES["POST"] if "{user}" in each):
            answer = boss.send(path.format(user=user), op="mute", why="x")
            assert answer.status_code == 404, (path, user)
    assert boss.get("/?office=seoul/10&region=seoul").text.count("다른사무소차") == 0
    assert rig.office.registry.users(TEN) == before

    start = JSON_BLOCK.search(boss.get("/").text)
    assert start is not None
    assert "car-77" not in start[1]

    def happens() -> None:
        rig.office.publish(TEN, Kind.PRESENCE, "car-77", message=there("다른사무소차", "e9"))
        rig.office.publish(ONE, Kind.PRESENCE, "car-1", message=there("1호차", "e9"))

    told = _stream(boss, happens)
    assert "car-77" not in told
    assert told.count("event: changes") == 2
    other = rig.signed_in("boss-10")
    assert "다른사무소차" in other.get("/").text


def _stream(browser: Browser, meanwhile: Callable[[], None]) -> str:
    """Give what a stream tells from nothing, and of what happens meanwhile."""
    told = ""
    with browser.get("/live", stream=True) as stream:
        for number, line in enumerate(stream.iter_lines(decode_unicode=True)):
            told += line
            if number == 3:
                meanwhile()
            if number >= 6:
                return told
    return told


def test_roles_see_everything_and_do_only_what_is_theirs(rig: Rig) -> None:
    for who in ("manager", "watcher"):
        browser = rig.signed_in(who)
        assert browser.get("/").status_code == 200
        assert browser.get("/admin").status_code == 403
        assert "/admin" not in browser.get("/").text
        for path in (each for each in ROUTES["POST"] if each.startswith("/admin")):
            assert browser.send(path.format(user="car-1"), user="y", name="y", role="admin").status_code == 403
    watcher = rig.signed_in("watcher")
    assert "/command" not in watcher.get("/vehicle/car-1").text
    assert watcher.send("/vehicle/car-1/command", op="mute").status_code == 403
    assert rig.office.registry.user(ONE, "y") is None

    driver, secret = rig.people["driver"]
    refused = rig.office.browser().sign_in(driver.login, secret.reveal())
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)


def test_a_form_that_is_not_of_this_session_does_nothing(rig: Rig) -> None:
    boss, other = rig.signed_in("boss"), rig.signed_in("boss")
    user, secret = rig.people["boss"]
    add = {"user": "forged", "name": "forged", "role": "vehicle_gateway"}
    token = boss.csrf()
    for fields in (add, add | {"csrf": ""}, add | {"csrf": "ä"}, add | {"csrf": other.csrf()}):
        assert boss.post("/admin/add", fields).status_code == 403
    for origin in ("https://evil.example", "null", rig.office.origin.replace("https", "http")):
        assert boss.post("/admin/add", add | {"csrf": token}, origin).status_code == 403
        assert rig.office.browser().sign_in(user.login, secret.reveal(), origin).status_code == 403
    assert rig.office.registry.user(ONE, "forged") is None
    assert boss.post("/admin/add", add | {"csrf": token}).status_code == 200


def test_every_answer_carries_the_policy_and_cookies_are_for_this_host_alone(rig: Rig) -> None:
    boss = rig.signed_in("boss")
    paths = ["/", "/nothing", "/signin", "/vehicle/none", "/kpi?day=x", *(f"/static/{name}" for name in static_files())]
    for answer in [*(boss.get(path) for path in paths), boss.send("/admin/add", role="x")]:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    user, secret = rig.people["boss"]
    cookie = rig.office.browser().sign_in(user.login, secret.reveal()).headers["set-cookie"]
    assert cookie.startswith("__Host-ptt-session=")
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_wrong_sign_ins_look_alike_and_too_many_have_to_wait(rig: Rig) -> None:
    guesser = rig.office.browser()
    known = guesser.sign_in("seoul.1.watcher", "wrong")
    unknown = guesser.sign_in("seoul.1.nobody", "wrong")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    for _ in range(12):
        answer = guesser.sign_in("seoul.1.nobody", "wrong")
    assert answer.status_code == 429
    assert rig.signed_in("watcher").get("/").status_code == 200


def test_who_is_revoked_is_signed_out_at_once_and_the_open_page_is_told(rig: Rig) -> None:
    made = rig.office.person("leaver", Role.MONITOR)
    leaver = rig.office.signed_in(*made)
    with leaver.get("/live", stream=True) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        assert "changes" in "".join(next(lines) for _ in range(3))
        rig.office.registry.revoke(ONE, "leaver", "left")
        assert leaver.get("/").headers["location"] == "/signin?why=over"
        assert "event: over" in list(lines)


def test_a_signed_out_browser_sees_nothing_with_its_old_cookie(rig: Rig) -> None:
    boss = rig.signed_in("boss")
    cookies = dict(boss.session.cookies)
    assert boss.send("/signout").status_code == 303
    thief = rig.office.browser()
    thief.session.cookies.update(cookies)
    assert thief.get("/").status_code == 303


@pytest.mark.parametrize("day", ["2999-01-01", "0001-01-01", "x", "2026-02-30", "20260101", EVIL])
def test_a_day_that_cannot_be_shown_is_refused_and_said(rig: Rig, day: str) -> None:
    boss = rig.signed_in("boss")
    for path in ("/kpi", "/history"):
        answer = boss.get(path, params={"day": day})
        assert answer.status_code == 400
        assert "<img" not in answer.text


def test_a_day_without_anything_says_so_and_what_nobody_measured_is_not_passed(rig: Rig) -> None:
    answer = rig.signed_in("boss").get("/kpi?day=2020-01-01")

    assert "Nothing is in the log of this time." in answer.text
    verdicts = re.findall(r'data-verdict="(\w+)"', answer.text)
    assert len(verdicts) == 12
    assert set(verdicts) == {"not_measured"}


def test_cards_kpis_and_charts_show_what_the_log_holds(rig: Rig, context: BrowserContext) -> None:
    now = time.time_ns() // 1_000_000
    store = SqlStore(rig.office.store_url)
    story: list[tuple[int, EventType, dict[str, object]]] = [
        (120_000, EventType.SESSION_STARTED, {}),
        (120_000, EventType.SPEAKER_CHANGED, {"burst": 5, "priority": "normal"}),
        (60_000, EventType.BURST_ENDED, {"burst": 5, "ended": "released", "unrenewed_ms": 100}),
        (60_000, EventType.DENIED, {"cause": "another_has_permission"}),
        (0, EventType.SESSION_ENDED, {"reason": "hang"}),
    ]
    for ago_ms, kind, more in story:
        user = "truck-1" if kind is not EventType.SESSION_ENDED else None

        def tell(turn: Turn, kind: EventType = kind, user: str | None = user, more: dict[str, object] = more) -> None:
            turn.event(kind, user, user, "e1", **more)

        notices.log(store, BUSAN, now - ago_ms, tell)
    store.close()
    page = context.new_page()
    sign_in(page, rig, "boss-busan")

    shown(page, "#card-usage", "2분")
    shown(page, "#card-average", "120초")
    shown(page, "#bursts", "60.0초")
    page.goto(rig.office.origin + "/kpi")
    verdict = page.get_attribute('[data-kpi="session_length"] [data-verdict]', "data-verdict")
    assert verdict == "fail"  # 120 s, and the plan wants 30 s at most
    page.goto(rig.office.origin + "/history")
    bars = page.locator("svg.chart").nth(0).locator("> rect")
    assert bars.count() == CHART_DAYS
    tall = [float(bar.get_attribute("height") or "0") for bar in bars.all()]
    assert [height > 0 for height in tall] == [False] * (CHART_DAYS - 1) + [True]
    assert page.locator("svg.chart").nth(2).locator("> rect").nth(CHART_DAYS - 1).bounding_box()["height"] > 50  # type: ignore[index]
    shown(page, "main", "truck-1")
    page.screenshot(path=PICTURES / "history.png")


def test_a_page_left_open_holds_no_more_than_it_shows(page: Page, rig: Rig) -> None:
    now = time.time_ns() // 1_000_000
    hot = Alert(alert="hot", severity=Severity.WARNING, what="hot", mend="cool", since=now)
    for burst in range(100, 180):
        more = {"burst": burst, "priority": "normal"}
        event = Event(no=next(_event_no), event=EventType.SPEAKER_CHANGED, at=now, user="car-1", metadata=more)
        rig.office.publish(ONE, Kind.EVENTS, message=event)
        rig.office.publish(ONE, Kind.ALERT, "car-1", f"hot-{burst}", message=hot)
        rig.office.publish(ONE, Kind.ALERT, "car-1", f"hot-{burst}", message=None)
    last = Alert(alert="last", severity=Severity.WARNING, what="the last one", mend="", since=now)
    rig.office.publish(ONE, Kind.ALERT, "car-1", "last", message=last)
    shown(page, "#alerts", "the last one")

    assert page.locator("#bursts tr").count() == BURSTS_SHOWN
    assert page.locator("#alerts li").count() == 1
    rig.office.publish(ONE, Kind.ALERT, "car-1", "last", message=None)


def test_a_port_that_is_taken_is_said_at_the_start_with_its_mend(rig: Rig) -> None:
    second = rig.office.launch()

    assert second.wait(15) == 1
    assert "[web] port" in second.log


def test_a_broker_that_is_away_is_said_on_the_page_and_found_again(page: Page, rig: Rig) -> None:
    rig.office.broker.stop()
    shown(page, "#line", "브로커에 연결되지 않습니다", 10)

    rig.office.broker.start()
    rig.office.enter()

    page.wait_for_selector('#line[data-state="up"]', timeout=20_000)


def test_a_page_whose_line_is_cut_says_so_and_is_right_again_when_it_is_back(rig: Rig, context: BrowserContext) -> None:
    page = context.new_page()
    sign_in(page, rig)
    rig.office.publish(ONE, Kind.PRESENCE, "car-2", message=there("2호차"))
    shown(page, "#members", "2호차")
    context.set_offline(True)  # what is open stays open; the server's end closes it
    rig.daemon.stop()
    shown(page, "#line", "화면 연결이 끊겼습니다", 10)

    rig.office.publish(ONE, Kind.SESSION, message=session("car-2", burst=20))
    rig.daemon = rig.office.start()
    context.set_offline(False)

    page.wait_for_url("**/signin*", timeout=20_000)  # sessions end with the process
    sign_in(page, rig)
    shown(page, "#session", "2호차 발언 중")
    rig.office.publish(ONE, Kind.SESSION, message=session(None, active=False, burst=20))
