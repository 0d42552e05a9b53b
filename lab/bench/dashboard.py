"""The dashboard: how fast a page is given, how late a change is seen in it, and what it costs the browser.

A change is said to the real broker and goes through `ptt-dispatch web` into headless Chromium. It is seen when the
frame after the one that changed the document begins: that one is painted by then. Beside it the same message to
a plain subscriber. What is between the two is the dashboard's own, and the up to 16.7 ms that a browser waits to draw.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import requests
from playwright.sync_api import CDPSession, Page, sync_playwright

from lab.bench.figure import Figure, bounded, quantile, ratio, summary, write_samples
from lab.bench.pages_office import OFFICE, PagesOffice
from lab.bench.parts import START_S, BenchFailed
from lab.bench.progress import Say
from lab.bench.round_trip import client
from lab.bench.size import Size
from protocol.codec import decode
from protocol.messages import Session
from protocol.topics import Kind, topic

JSON_BLOCK = re.compile(r'<script type="application/json" id="start">(.*?)</script>', re.S)
MIB = 1 << 20
WAIT_MS = 60_000
REST_S = (0.3, 0.5)
"""Between two changes: the stream gathers for 0.1 s after each."""
CHANGED = 20
"""Vehicles that change their presence with each change that is timed."""
WATCH = """
window.seen = [];
window.blocked = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) blocked.push(one.duration);
}).observe({ type: "longtask" });
addEventListener("DOMContentLoaded", () => {
  const wall = () => performance.timeOrigin + performance.now();
  const box = document.getElementById("session");
  if (!box) return;
  let last = "";
  new MutationObserver(() => {
    const found = box.textContent.match(/change-\\d+/)?.[0];
    if (!found || found === last) return;
    last = found;
    const changed = wall();
    requestAnimationFrame(() => requestAnimationFrame(() => seen.push([found, changed, wall()])));
  }).observe(box, { childList: true, subtree: true, characterData: true });
});
"""
Seen = dict[str, tuple[float, float]]
"""Name of a change -> when the document had it, and when it was painted (Unix s)."""


def dashboard(out: Path, work: Path, say: Say, size: Size) -> list[Figure]:
    """Measure both sizes of office."""
    figures: list[Figure] = []
    for members in size.dashboard_members:
        with ExitStack() as stack:
            office = PagesOffice(work / str(members), stack, members)
            office.fill()
            figures += _snapshot(office, out, say, size)
            figures += _delays(office, out, say, size)
    return figures


def _snapshot(office: PagesOffice, out: Path, say: Say, size: Size) -> list[Figure]:
    """Ask for the whole page again and again, in turn with a page of nothing and with bare encoding of its rows."""
    with office.sign_in() as browser:
        text = _filled(office, browser)
        block = JSON_BLOCK.search(text)
        if block is None:
            raise BenchFailed("the office's page has no data")
        values = json.loads(block[1])["put"]
        rows = []
        for number in range(size.dashboard_pages):
            page_ms, page = _get(browser, f"{office.origin}/")
            empty_ms, _ = _get(browser, f"{office.origin}/healthz")
            began = time.perf_counter()
            encoded = msgspec.json.encode(values)
            rows.append((number, page_ms, empty_ms, (time.perf_counter() - began) * 1000, len(page), len(encoded)))
    members = len(office.users)
    name = f"dashboard_{members}"
    file = write_samples(
        out / f"{name}_snapshot.csv", ("page", "page_ms", "healthz_ms", "encode_ms", "page_bytes", "rows_bytes"), rows
    )
    pages, empty, bare = [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
    rss = psutil.Process(office.web.pid).memory_info().rss / MIB
    detail: dict[str, Any] = {"page_ms": summary(pages), "healthz_ms": summary(empty), "encode_ms": summary(bare)}
    detail |= {"web_rss_mib": round(rss, 1), "rows": len(values)}
    say(f"dashboard, {members} members: page {statistics.median(pages):.1f} ms, {rows[-1][4]} bytes, web {rss:.0f} MiB")
    more: dict[str, Any] = {"n": len(rows), "samples": (file,), "detail": detail}
    against = "msgspec encoding the same rows, bare, in turn"
    return [
        ratio(f"{name}_page", statistics.median(pages), "ms", against, statistics.median(bare), None, **more),
        ratio(f"{name}_bytes", rows[-1][4], "bytes", "the same rows encoded bare", rows[-1][5], None, **more),
    ]


def _filled(office: PagesOffice, browser: requests.Session) -> str:
    """Wait until the dashboard has taken in what the broker retains; gives the page's text."""
    deadline = time.monotonic() + START_S
    want = f'"member/{office.live[-1]}"', f'"state/{office.live[-1]}"'
    while True:
        text = browser.get(f"{office.origin}/", timeout=60).text
        if all(each in text for each in want):
            return text
        if time.monotonic() > deadline:
            raise BenchFailed("the dashboard does not show every member")
        time.sleep(0.1)


def _get(browser: requests.Session, url: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    answer = browser.get(url, timeout=60, headers={"Accept-Encoding": "identity"})
    took_ms = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise BenchFailed(f"{url} answers {answer.status_code}")
    return took_ms, answer.content


# --- event to pixel ---------------------------------------------------------------------------------------------------


def _delays(office: PagesOffice, out: Path, say: Say, size: Size) -> list[Figure]:
    chance = random.Random(1)
    sent: dict[str, float] = {}
    with _subscriber(office) as came, _page(office) as page:
        chromium = page.context.new_cdp_session(page)
        chromium.send("Performance.enable")
        before = _metrics(chromium)
        number = 1
        for number in range(2, size.dashboard_changes + 2):
            for user in chance.sample(office.live, min(CHANGED, len(office.live))):
                office.change(user, number)
            name = f"change-{number}"
            sent[name] = time.time()
            office.speak(name)
            page.wait_for_timeout(1000 * chance.uniform(*REST_S))
        _await_seen(page, f"change-{number}")
        after = _metrics(chromium)
        seen: Seen = {name: (changed / 1000, at / 1000) for name, changed, at in page.evaluate("seen")}
        blocked = page.evaluate("blocked")
        shown = page.evaluate("document.querySelectorAll('#members tr').length")
    rows = [
        (name, (came[name] - at) * 1000, (seen[name][0] - at) * 1000, (seen[name][1] - at) * 1000)
        for name, at in sent.items()
        if name in seen and name in came
    ]
    if not rows:
        raise BenchFailed("no change was seen")
    members = len(office.users)
    file = write_samples(out / f"dashboard_{members}_delay.csv", ("change", "subscriber", "document", "pixel"), rows)
    subscriber, document, pixel = [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
    busy_ms = 1000 * (after["TaskDuration"] - before["TaskDuration"]) / len(sent)
    detail = {
        "pixel_ms": summary(pixel),
        "document_ms": summary(document),
        "subscriber_ms": summary(subscriber),
        "not_seen": len(sent) - len(rows),
        "rows_shown": shown,
        "main_thread_ms_by_change": {
            key: round(1000 * (after[key] - before[key]) / len(sent), 2)
            for key in ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
        },
        "tasks_over_50_ms": len(blocked),
        "longest_task_ms": max(blocked, default=0),
        "heap_mib": round(after["JSHeapUsedSize"] / MIB, 1),
    }
    p95 = quantile(pixel, 0.95)
    say(f"dashboard, {members} members: pixel p95 {p95:.1f} ms, {busy_ms:.1f} ms of the main thread by change")
    more: dict[str, Any] = {"n": len(rows), "samples": (file,), "detail": detail}
    against = "the same message to a plain subscriber"
    name = f"dashboard_{members}"
    return [
        ratio(f"{name}_pixel_p95", p95, "ms", against, quantile(subscriber, 0.95), None, **more),
        bounded(f"{name}_main_thread", busy_ms, "ms by change", None, against="nothing", **more),
    ]


@contextmanager
def _subscriber(office: PagesOffice) -> Iterator[dict[str, float]]:
    """When each change reached a plain subscriber (Unix s)."""
    came: dict[str, float] = {}
    reader = client("bench-reader", office.access)

    def heard(_client: object, _data: object, message: Any) -> None:
        at, said = time.time(), decode(bytes(message.payload), Kind.SESSION)
        if isinstance(said, Session) and said.speaker_name:
            came[said.speaker_name] = at

    reader.on_connect = lambda connected, *_: connected.subscribe(topic(OFFICE, Kind.SESSION), qos=1)
    reader.on_message = heard
    reader.connect("127.0.0.1", office.broker.port)
    reader.loop_start()
    try:
        yield came
    finally:
        reader.disconnect()
        reader.loop_stop()


@contextmanager
def _page(office: PagesOffice) -> Iterator[Page]:
    """The office's page, signed in and following."""
    program = shutil.which("chromium")
    if program is None:
        raise BenchFailed("chromium is missing -> make setup")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            context = browser.new_context(ignore_https_errors=True, locale="ko-KR")
            context.set_default_timeout(WAIT_MS)
            context.add_init_script(WATCH)
            page = context.new_page()
            page.goto(f"{office.origin}/")
            page.fill('input[name="login"]', office.login)
            page.fill('input[name="secret"]', office.secret.reveal())
            page.keyboard.press("Enter")
            page.wait_for_selector('#line[data-state="up"]')
            page.wait_for_timeout(1000)
            page.evaluate("blocked.length = 0")
            yield page
        finally:
            browser.close()


def _await_seen(page: Page, name: str) -> None:
    """Wait until a change is painted, by asking: the page's policy forbids an expression to wait for."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while time.monotonic() < deadline:
        if page.evaluate("(name) => seen.some(([one]) => one === name)", name):
            return
        page.wait_for_timeout(100)
    raise BenchFailed(f"{name} is not seen in the page")


def _metrics(session: CDPSession) -> dict[str, float]:
    found: Sequence[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    return {each["name"]: float(each["value"]) for each in found}
