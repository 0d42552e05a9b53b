"""The office's page in a real browser, open for a week under a clock by hand: it holds no more than after an hour."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from dispatch.web import live_pages
from dispatch.web.shell import Seen
from tests.support.chromium import headless

STATIC = Path(live_pages.__file__).parent / "static"
ORIGIN = "https://office.test"
START_MS = 1_795_000_000_000
CARS, BURSTS_SHOWN, HOURS = 20, 30, 7 * 24
GROWTH_BYTES = 400_000
"""What the page's own values may vary by between two moments; a burst an hour kept would be told by its rows."""

STREAM = """
window.streams = [];
window.EventSource = class {
  constructor(url) { this.url = url; this.readyState = 1; this.told = {}; window.streams.push(this); }
  addEventListener(name, take) { this.told[name] = take; }
  close() { this.readyState = 2; }
};
window.tell = (said) => {
  const stream = window.streams.at(-1);
  stream.told.changes({ lastEventId: `boot.${said.now}`, data: JSON.stringify(said) });
};
window.hour = (hour, start, cars, shown) => {
  for (let minute = hour * 60; minute < (hour + 1) * 60; minute++) {
    const at = start + minute * 60_000, user = `car-${1 + minute % cars}`;
    const put = {
      [`burst/${minute}`]: { burst: minute, user, name: user, started_at: at, ended_at: at + 3000, ended: "released" },
      [`alert/${user}/hot-${minute}`]: { user, alert: "hot", severity: "warning", what: "", mend: "", since: at },
      [`member/${user}`]: { state: "online", order: [1, 1, minute], name: user, app: "vehicle_gateway", since: at },
      floor: { active: true, event_id: `s-${minute}`, burst: minute, speaker: user, priority: "normal" },
    };
    const gone = minute < shown ? [] : [`burst/${minute - shown}`];
    window.tell({ now: at, whole: false, put, gone });
    window.tell({ now: at, whole: false, put: {}, gone: [`alert/${user}/hot-${minute}`] });
  }
};
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """The office's page as it is made, with its own script, and a stream that is told by hand."""
    users: dict[str, Any] = {
        f"user/car-{n}": {"name": f"{n}호차", "role": "vehicle_gateway"} for n in range(1, CARS + 1)
    }
    snapshot = {"at": "boot.0", "now": START_MS, "put": {**users, "link": {"up": True, "why": "", "since": START_MS}}}
    made = live_pages.office(Seen(lang="ko", office_name="본사"), snapshot, "Asia/Seoul")

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ORIGIN}/static/")
        file = STATIC / name
        if file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(name)[0] or "text/plain")
        else:
            route.fulfill(body=made, content_type="text/html; charset=utf-8")

    shown = chromium.new_page()
    complaints: list[str] = []
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.route("**/*", answer)
    shown.clock.install(time=START_MS / 1000)
    shown.add_init_script(STREAM)
    shown.goto(f"{ORIGIN}/")
    yield shown
    shown.close()
    assert complaints == []


def test_a_page_holds_after_a_week_what_it_held_after_two_hours(page: Page) -> None:
    line = page.context.new_cdp_session(page)

    def run(first: int, last: int) -> tuple[float, int]:
        """Let these hours pass; gives the heap's bytes and the document's nodes."""
        for hour in range(first, last):
            page.evaluate(f"window.hour({hour}, {START_MS}, {CARS}, {BURSTS_SHOWN})")
            page.clock.run_for(1000)
        line.send("HeapProfiler.collectGarbage")
        used: float = line.send("Runtime.getHeapUsage")["usedSize"]
        nodes: int = line.send("Memory.getDOMCounters")["nodes"]
        return used, nodes

    early, early_nodes = run(0, 2)
    late, late_nodes = run(2, HOURS)

    assert page.locator("#bursts tr").count() == BURSTS_SHOWN
    assert page.locator("#members tr").count() == CARS
    assert page.locator("#alerts li").count() == 1  # that there is none
    assert late - early < GROWTH_BYTES
    assert late_nodes < 5 * early_nodes  # some wait for another collection; a row left over each minute is 130 times


def test_a_stream_that_falls_silent_is_said_and_opened_again_from_where_it_was(page: Page) -> None:
    page.evaluate(f"window.hour(0, {START_MS}, {CARS}, {BURSTS_SHOWN})")
    page.clock.run_for(20_000)
    streams = page.evaluate("window.streams.length")
    quiet = page.locator("#line").get_attribute("data-state")

    page.clock.run_for(31_000)  # three beats are missing

    opened = page.evaluate(
        "window.streams.map((stream) => [new URL(stream.url, location).searchParams.get('at'), stream.readyState])"
    )
    assert (streams, quiet, page.locator("#line").get_attribute("data-state")) == (1, "up", "down")
    assert opened == [["boot.0", 2], [f"boot.{START_MS + 59 * 60_000}", 1]]
    page.evaluate(f"window.tell({{ now: {START_MS}, whole: false, put: {{}}, gone: [] }})")
    page.clock.run_for(1000)
    assert page.locator("#line").get_attribute("data-state") == "up"


def test_what_the_office_itself_raises_is_the_offices_and_no_vehicles(page: Page) -> None:
    alert = {
        "severity": "critical",
        "what": "3 test presses in a row were not answered",
        "mend": "x",
        "since": START_MS,
    }
    put = {
        "alert/dispatch/unanswered": {"user": "dispatch", "alert": "unanswered", **alert},
        "alert/car-1/hot": {"user": "car-1", "alert": "hot", **alert},
    }
    page.evaluate("(said) => window.tell(said)", {"now": START_MS, "whole": False, "put": put, "gone": []})
    page.clock.run_for(1000)

    assert page.locator("#alerts li").count() == 2
    assert page.locator("#alerts li a").all_inner_texts() == ["1호차"]
    said = "사무소 서비스: 시험 누름에 응답이 없습니다 (3 test presses in a row were not answered)"
    assert page.locator("#alerts li", has_text=said).count() == 1
