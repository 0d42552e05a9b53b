"""`ptt-dispatch web`: its pages in a real Chromium, live, by keyboard, on a phone, and when lines are cut."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, Route

from dispatch.core import notices
from dispatch.core.turn import Turn
from dispatch.registry.port import CodeRefused
from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.store.sql import SqlStore
from dispatch.web.model import BURSTS_SHOWN
from dispatch.web.past import CHART_DAYS
from protocol.enrol_code import parse_code
from protocol.messages import Alert, DeviceState, Event, EventType, Severity, Telemetry, VoiceHealth
from protocol.rest import Role
from protocol.topics import Kind
from tests.integration.rest_rig import BUSAN, ONE
from tests.integration.web_pages_rig import EVIL, Rig, event_numbers, inhabited, opened, session, shown, sign_in, there
from tests.support.chromium import headless
from tests.support.procs import ROOT, eventually

PICTURES = ROOT / "build" / "web"
"""Pictures for the documents."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with inhabited() as rig:
        yield rig


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with headless() as browser:
        yield browser


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
        event = Event(no=next(event_numbers), event=kind, at=at, user="car-1", name="1호차", metadata=more)
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
    seen_s = []
    for burst in range(9, 12):  # the machine may have something else to do at one of them
        rig.office.publish(ONE, Kind.SESSION, message=session("car-3", burst=burst))
        seen_s.append(shown(other, "#session", "3호차 발언 중"))
        rig.office.publish(ONE, Kind.SESSION, message=session(None, active=False, burst=burst))
        shown(other, "#session", "진행 중인 세션이 없습니다")
    assert min(seen_s) < 0.5
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
        event = Event(no=next(event_numbers), event=EventType.SPEAKER_CHANGED, at=now, user="car-1", metadata=more)
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


def test_a_stream_that_a_server_in_between_refuses_is_told_and_asked_for_less_and_less_often(
    rig: Rig, bosses: BrowserContext
) -> None:
    page = bosses.new_page()
    page.add_init_script("Math.random = () => 0.999")
    page.clock.install()
    asked: list[str] = []
    proxy = re.compile(r"/live\?")

    def bad_gateway(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=502, content_type="text/html", body="bad gateway")

    page.route(proxy, bad_gateway)
    with page.expect_response("**/me"):
        page.goto(rig.office.origin + "/")
    for wait_s in (3, 6, 12, 15):
        shown(page, "#line", "화면 연결이 끊겼습니다")
        before = len(asked)
        page.clock.fast_forward(1000 * wait_s - 1500)
        page.wait_for_timeout(100)
        assert len(asked) == before, f"within {wait_s} s"
        with page.expect_response("**/me"):
            page.clock.fast_forward(1500)
        assert len(asked) == before + 1
    page.unroute(proxy)
    page.wait_for_timeout(100)
    page.clock.fast_forward(15_000)
    page.wait_for_selector('#line[data-state="up"]')
    page.close()


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
