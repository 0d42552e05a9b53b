"""`ptt-dispatch web` over the network: who sees and does what, and what is refused."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from dispatch.traces.store import Arrived, TraceStore
from dispatch.web.agora_sdk import SDK_PATH
from dispatch.web.static_files import static_files
from protocol.codec import decode, encode
from protocol.messages import Command, CommandReply, PressTrace, TracedWord
from protocol.rest import Role
from protocol.topics import Kind, topic
from tests.integration.rest_rig import ONE, TEN
from tests.integration.web_pages_rig import EVIL, Rig, inhabited, session, there
from tests.integration.web_rig import JSON_BLOCK, Browser

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


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with inhabited() as rig:
        yield rig


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
    assert (known.status_code, known.text.replace(".watcher", ".nobody")) == (unknown.status_code, unknown.text)
    for _ in range(12):
        answer = guesser.sign_in("seoul.1.nobody", "wrong")
    assert answer.status_code == 429
    assert rig.signed_in("watcher").get("/").status_code == 200


def test_capitals_and_blanks_around_a_login_do_not_matter_and_only_the_secret_is_typed_again(
    rig: Rig,
) -> None:
    user, secret = rig.people["boss"]
    browser = rig.office.browser()
    failed = browser.sign_in(f" {user.login.upper()}", "wrong-secret").text
    assert f'value="{user.login.upper()}"' in failed
    assert "wrong-secret" not in failed
    assert "<script>" not in browser.sign_in('"><script>', "wrong").text
    assert browser.sign_in(f" {user.login.title()} ", f"{secret.reveal()} ").status_code == 303


def test_an_id_that_is_taken_is_told_in_words_for_whoever_sits_at_the_page(rig: Rig) -> None:
    boss = rig.signed_in("boss")
    answer = boss.send("/admin/add", user="watcher", name="Again", role="monitor")
    assert answer.status_code == 409
    assert "taken in this office" in answer.text
    assert "ptt-dispatch" not in answer.text


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
