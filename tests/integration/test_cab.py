"""`make cab`: its page in a real Chromium, driving real gateways."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from hw.board import Board
from lab.cab.script import spoken
from lab.measure.search import score
from lab.measure.sound import RATE_HZ
from tests.integration.cab_rig import (
    SEEN,
    WAIT_MS,
    Running,
    colour,
    finger,
    hear,
    picture,
    quiet,
    running,
    say,
    seen,
    sounds,
    talk,
    when,
    words,
)
from tests.support.chromium import headless
from tests.support.procs import eventually


@pytest.fixture(scope="module")
def cab() -> Iterator[Running]:
    with running() as cab:
        yield cab


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless() as browser:
        yield browser


@pytest.fixture
def page(cab: Running, chromium: Browser) -> Iterator[Page]:
    """The page, begun, in a window of its own; whatever it complains of is an error."""
    context = chromium.new_context(viewport={"width": 1180, "height": 830}, has_touch=True, locale="ko-KR")
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.add_init_script(SEEN)
    opened.goto(cab.url)
    opened.click("#begin")
    opened.wait_for_selector('#car-1[data-alive="yes"]')
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def other(cab: Running, chromium: Browser) -> Iterator[Page]:
    """Another page."""
    opened = chromium.new_page(locale="ko-KR")
    opened.set_default_timeout(WAIT_MS)
    opened.add_init_script(SEEN)
    opened.goto(cab.url)
    opened.click("#begin")
    opened.wait_for_selector('#car-2 .led[data-colour="green"]')
    yield opened
    opened.close()


def test_a_press_in_one_car_is_seen_heard_and_felt_in_the_others(page: Page, cab: Running) -> None:
    quiet(page)
    assert "마이크는 쓰지 않습니다" in page.locator("#start").text_content()  # type: ignore[operator]

    finger(page, "car-1")
    colour(page, "car-1", "red")
    colour(page, "car-2", "blue")
    colour(page, "car-3", "blue")
    when(page, "document.querySelector('#car-2 .vu').value > -35")
    when(page, "document.querySelector('#car-3 .vu').value > -35")
    when(page, "document.querySelector('#car-2 .speaker').textContent.includes('1호차')")
    page.wait_for_selector('#car-2 .lamp.mute[data-on="yes"]')
    page.wait_for_selector('#car-1 .ptt[aria-pressed="true"]')  # inputs are told in their own time
    picture(page, "cab")

    page.evaluate("window.seen = []")
    page.keyboard.down("3")
    when(page, "document.querySelector('#car-3 .answer').textContent.includes('다른 사람이 말하는 중')")
    when(page, "window.seen.filter(([car, , what, value]) => car === 'car-3' && value === 'on').length >= 2")
    picture(page, "cab-refused")
    page.keyboard.up("3")

    shakes = [seen for seen in page.evaluate("window.seen") if seen[0] == "car-3" and seen[3] == "on"]
    assert {moves for *_, moves in shakes} == {"shake"}
    assert ["car-3", "buzzer", "data-on", "yes"] in [seen[:4] for seen in page.evaluate("window.seen")]
    pitches = {
        float(value) for car, _, what, value, _ in page.evaluate("window.seen") if (car, what) == ("car-3", "data-hz")
    }
    board = Board().buzzer
    assert pitches - {0.0}
    assert all(board.lowest_hz <= pitch <= board.highest_hz for pitch in pitches - {0.0})
    assert cab.level("car-1") == 1
    page.mouse.up()
    eventually(lambda: cab.level("car-1") == 0, 2, "the button goes up")
    quiet(page)


def test_an_emergency_of_one_car_is_seen_felt_and_heard_in_the_others_on_another_page(
    page: Page, cab: Running, other: Page
) -> None:
    quiet(page)
    for each in (page, other):
        each.evaluate("window.seen = []")

    # the hold is shown and felt while it lasts, and nobody else is told of it
    finger(page, "car-1", ".emergency")
    colour(page, "car-1", "white")
    when(page, seen("car-1", "data-motor", "on") + " >= 3")
    assert other.evaluate(seen("car-2", "data-motor", "on")) == 0
    colour(page, "car-1", "red")
    page.mouse.up()

    # a flickering light and three long pushes in the others, and the siren
    for user in ("car-2", "car-3"):
        when(other, f"document.querySelector('#{user} .vu').value > -35")
        when(other, seen(user, "data-colour", "blue") + " >= 5")
        when(other, seen(user, "data-colour", "off") + " >= 5")
        when(other, seen(user, "data-motor", "on") + " >= 3")
        assert "1호차" in str(other.locator(f"#{user} .speaker").text_content())

    # when siren and sentence are over, its driver is still heard, with nothing held
    page.wait_for_timeout(3200)
    assert cab.level("car-1", "emergency") == 0
    for user in ("car-2", "car-3"):
        when(other, f"document.querySelector('#{user} .vu').value > -35")
    assert page.locator("#car-1 .led").get_attribute("data-colour") == "red"
    picture(page, "cab-emergency", blinks="car-2")

    # pressed again, it is taken back or ended, by when that is, and the driver says no more
    finger(page, "car-1", ".emergency")
    when(page, "/긴급 호출 취소됨|긴급 통화 끝/.test(document.querySelector('#car-1 .answer').textContent)")
    page.mouse.up()
    quiet(page)
    when(page, "[...document.querySelectorAll('.vu')].every((meter) => meter.value < -50)")


def test_during_a_telephone_call_a_press_is_refused_and_nobody_else_is_disturbed(page: Page, cab: Running) -> None:
    page.click('#car-3 [data-signal="phone_busy"]')
    page.wait_for_selector('#car-3[data-focus="phone"]')
    quiet(page)
    page.evaluate("window.seen = []")

    page.keyboard.down("3")
    when(page, "document.querySelector('#car-3 .answer').textContent.includes('전화 통화 중')")
    when(page, seen("car-3", "data-motor", "on") + " >= 2")
    when(page, seen("car-3", "data-hz", "600") + " >= 2")
    page.keyboard.up("3")

    assert page.evaluate(seen("car-3", "data-colour", "red")) == 0
    assert page.evaluate("window.seen.filter(([car]) => car !== 'car-3').length") == 0
    page.click('#car-3 [data-signal="phone_busy"]')
    page.wait_for_selector('#car-3[data-focus="radio"]')


def test_what_was_heard_is_heard_again_by_a_short_press_and_who_heard_it_is_told_by_a_long_one(
    page: Page, cab: Running
) -> None:
    said = spoken(["car-1"])["car-1"]["accident"][: round(1.3 * RATE_HZ)]
    quiet(page)
    page.keyboard.down("1")
    colour(page, "car-2", "blue")
    page.wait_for_timeout(1900)
    page.keyboard.up("1")
    quiet(page)
    page.evaluate("window.seen = []")

    page.hover("#car-2 .replay")
    page.mouse.down()
    page.mouse.up()
    colour(page, "car-2", "blue")
    with talk(cab) as socket:
        first, again, third = sounds(socket, 4.2)
    planted = again.copy()
    planted[-len(said) :] += said / 2
    assert score(said, again) > 0.5 * score(said, planted)
    assert max(score(said, first), score(said, third)) < 0.2 * score(said, again)
    colour(page, "car-2", "green")

    finger(page, "car-1", ".replay")
    when(page, seen("car-1", "data-motor", "on") + " >= 1")
    when(page, seen("car-1", "data-hz", "1600") + " >= 1")
    page.mouse.up()
    when(page, "document.querySelector('#car-1 .vu').value > -35")  # how many, said by its speaker
    quiet(page)


def test_the_page_plays_silence_where_nobody_speaks_and_a_speaker_that_is_off_is_still_metered(page: Page) -> None:
    quiet(page)
    when(page, "[...document.querySelectorAll('.vu')].every((meter) => meter.value < -50)")


def test_a_page_that_is_closed_while_its_button_is_held_lets_go(page: Page, cab: Running, chromium: Browser) -> None:
    other = chromium.new_page()
    other.goto(cab.url)
    other.click("#begin")
    finger(other, "car-2")
    eventually(lambda: cab.level("car-2") == 1, 3, "the button goes down")
    page.wait_for_selector('#car-2 .ptt[aria-pressed="true"]')  # the other page shows it too

    other.close()

    eventually(lambda: cab.level("car-2") == 0, 1.5, "the button goes up")
    page.wait_for_selector('#car-2 .ptt[aria-pressed="false"]')


def test_a_window_that_loses_the_keyboard_lets_go(page: Page, cab: Running) -> None:
    page.keyboard.down("2")
    eventually(lambda: cab.level("car-2") == 1, 3, "the button goes down")

    page.evaluate("window.dispatchEvent(new Event('blur'))")

    eventually(lambda: cab.level("car-2") == 0, 1.5, "the button goes up")


def test_a_key_presses_its_own_car_alone_and_keys_without_a_car_nothing(page: Page, cab: Running) -> None:
    finger(page, "car-1", ".replay")
    for key in ("9", "3"):
        page.keyboard.down(key)
    eventually(lambda: cab.level("car-3") == 1, 3, "key 3 presses car 3")
    for key in ("9", "3"):
        page.keyboard.up(key)
    eventually(lambda: cab.level("car-3") == 0, 3, "and lets go")

    page.evaluate("document.activeElement.blur()")
    page.keyboard.down("Space")  # the vehicle last used
    eventually(lambda: cab.level("car-3") == 1, 3, "space presses it again")
    page.keyboard.up("Space")
    eventually(lambda: cab.level("car-3") == 0, 3, "and lets go")
    assert (cab.level("car-1", "replay"), cab.level("car-1"), cab.level("car-2")) == (1, 0, 0)
    assert page.is_hidden("#trouble")
    page.mouse.up()


def test_a_button_held_by_a_key_is_let_go_with_the_key_wherever_the_focus_is_by_then(page: Page, cab: Running) -> None:
    page.focus("#car-2 .ptt")
    page.keyboard.down("Enter")
    eventually(lambda: cab.level("car-2") == 1, 3, "the focused button is pressed")
    page.focus("#lang")

    page.keyboard.up("Enter")

    eventually(lambda: cab.level("car-2") == 0, 3, "the button goes up")


def test_a_button_that_is_pressed_again_before_its_release_was_shown_can_be_let_go(page: Page, cab: Running) -> None:
    key = "document.dispatchEvent(new KeyboardEvent('{}', {{code: 'Digit2', bubbles: true}}))"
    page.evaluate("; ".join(key.format(kind) for kind in ("keydown", "keyup", "keydown")))
    with talk(cab) as socket:  # whatever it is told, the page has been told
        hear(socket, "hello")
        say(socket, type="press", car="car-2", signal="replay")
        page.wait_for_selector('#car-2 .replay[aria-pressed="true"]')
    assert cab.level("car-2") == 1

    page.evaluate(key.format("keyup"))

    eventually(lambda: cab.level("car-2") == 0, 2, "the button goes up")


def test_a_touch_holds_and_lets_go_and_switches_stay(page: Page, cab: Running) -> None:
    box = page.locator("#car-2 .replay").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}

    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    eventually(lambda: cab.level("car-2", "replay") == 1, 3, "a touch presses")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    eventually(lambda: cab.level("car-2", "replay") == 0, 3, "its end releases")

    page.click('#car-2 [data-signal="phone_busy"]')
    eventually(lambda: cab.level("car-2", "phone_busy") == 1, 3, "a switch stays on")
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    page.click('#car-2 [data-signal="phone_busy"]')
    eventually(lambda: cab.level("car-2", "phone_busy") == 0, 3, "until it is switched off")


def test_the_page_speaks_english_too_and_shows_what_a_driver_says(page: Page) -> None:
    page.click("#lang")
    assert page.inner_text("#car-1 .ptt") == "TALK"
    page.select_option("#car-1 .sentence", "silence")
    page.reload()
    page.click("#begin")
    assert page.locator("#car-1 .sentence").input_value() == "silence"
    page.select_option("#car-1 .sentence", "accident")


def test_a_killed_gateway_is_shown_and_the_others_go_on(page: Page, cab: Running) -> None:
    config = str(next(cab.folder.glob("ptt-demo-*/car-3/gateway.toml")))
    [pid] = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and config in words(entry) and "run" in words(entry)
    ]

    os.kill(pid, signal.SIGKILL)

    page.wait_for_selector('#car-3[data-alive="no"]')
    page.keyboard.down("3")
    page.wait_for_selector("#trouble:not([hidden])")
    page.keyboard.up("3")
    page.keyboard.down("1")
    when(page, "document.querySelector('#car-2 .speaker').textContent.includes('1호차')")
    colour(page, "car-2", "blue")
    page.keyboard.up("1")
