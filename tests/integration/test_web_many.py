"""The office's page with many members: the real page and script in Chromium, the stream's changes given by the test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from dispatch.web import live_pages
from dispatch.web.shell import Seen
from dispatch.web.static_files import static_files
from tests.support.chromium import headless

ORIGIN = "http://office.test"
NOW = 1_795_392_000_000
MANY = 10_000
FILES = static_files()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(locale="en-US")
    context.set_default_timeout(8000)
    yield context.new_page()
    context.close()


def user(number: int) -> dict[str, Any]:
    return {"name": f"Car {number}", "role": "vehicle_gateway", "revoked": False, "enrolled": 1, "clone": False}


def member(state: str) -> dict[str, Any]:
    return {"state": state, "name": None, "app": "vehicle_gateway", "channel": None, "reason": None, "since": NOW}


def show(page: Page, put: dict[str, Any], changes: dict[str, Any] | None = None) -> None:
    """Open the page of these values; its stream then tells `changes` once."""
    html = live_pages.office(Seen(lang="en"), {"at": "1", "now": NOW, "put": put}, "Asia/Seoul").decode()
    told = [changes] if changes else []

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        if path == "/":
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif path == "/live":
            said = f"id: 2\nevent: changes\ndata: {json.dumps(told.pop())}\n\n" if told else ": nothing\n\n"
            route.fulfill(body=said, content_type="text/event-stream")
        else:
            content, kind = FILES[path.removeprefix("/static/")]
            route.fulfill(body=content, content_type=kind)

    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    page.wait_for_selector("#members tr")


def names(page: Page) -> list[str]:
    return page.locator("#members th").all_text_contents()


def test_of_ten_thousand_members_some_are_shown_and_every_one_is_found_by_its_name(page: Page) -> None:
    show(page, {f"user/car-{number}": user(number) for number in range(1, MANY + 1)})
    # when nothing is looked for, as many as a browser draws at ease are there, in the order people count
    assert names(page)[:3] == ["Car 1", "Car 2", "Car 3"]
    assert (len(names(page)), page.inner_text("#members-more")) == (500, "500 of 10000 shown.")
    assert page.inner_text("#members-count") == "0 of 10000 online"
    # when a part of a name is typed, in whatever case
    page.get_by_label("Find a member").fill("cAr 999")
    page.wait_for_function("() => document.querySelectorAll('#members tr').length < 500")
    # then exactly those are there
    assert names(page) == ["Car 999", *(f"Car {number}" for number in range(9990, 10_000))]
    assert page.inner_text("#members-more") == "11 of 11 shown."


def test_a_small_office_has_nothing_to_look_for(page: Page) -> None:
    show(page, {f"user/car-{number}": user(number) for number in range(1, 501)})
    assert len(names(page)) == 500
    assert not page.locator("#members-find").is_visible()


def test_a_member_that_changes_its_place_is_the_only_row_that_is_touched(page: Page) -> None:
    # given eight online members, and one who is lost
    put = {f"user/car-{number}": user(number) for number in range(1, 10)}
    put |= {f"member/car-{number}": member("online") for number in range(1, 9)} | {"member/car-9": member("lost")}
    page.add_init_script(
        "window.touched = new Set();"
        "addEventListener('DOMContentLoaded', () => requestAnimationFrame(() => new MutationObserver((all) => all"
        ".flatMap((one) => [...one.addedNodes, ...one.removedNodes])"
        ".forEach((row) => touched.add(row.dataset.key))"
        ").observe(document.getElementById('members'), { childList: true })))"
    )
    # when the first is lost, the last comes back, and the fourth is removed from the registry
    changes = {"member/car-1": member("lost"), "member/car-9": member("online")}
    show(page, put, {"now": NOW, "whole": False, "put": changes, "gone": ["user/car-4", "member/car-4"]})
    page.wait_for_function("() => document.querySelectorAll('#members tr').length === 8")
    # then they stand where they belong, and no other row was moved or made anew
    assert names(page) == ["Car 2", "Car 3", "Car 5", "Car 6", "Car 7", "Car 8", "Car 9", "Car 1"]
    assert set(page.evaluate("[...touched]")) == {"car-1", "car-4", "car-9"}


def test_whatever_the_order_was_the_rows_come_out_in_the_new_one(page: Page) -> None:
    states = ("online", "lost", "sleeping", "offline")
    before = {n: states[n * 7 % 4] for n in range(1, 41)}
    after = {n: states[n * 5 // 3 % 4] for n in range(1, 41)}
    put = {f"user/car-{n}": user(n) for n in before}
    put |= {f"member/car-{n}": member(state) for n, state in before.items()}
    moved = {f"member/car-{n}": member(state) for n, state in after.items()}
    show(page, put, {"now": NOW, "whole": False, "put": moved, "gone": []})
    wanted = [f"Car {n}" for state in states for n in sorted(after) if after[n] == state]
    page.wait_for_function("(first) => document.querySelector('#members th').textContent === first", arg=wanted[0])
    assert names(page) == wanted
