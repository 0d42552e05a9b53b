"""A call manager's page and the broker: sign-in, websockets over TLS, one page at a time, an hour, and what ends it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import requests
from msgspec import Struct
from msgspec.structs import replace
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dispatch import pki
from dispatch.broker.admin import BrokerAdmin
from dispatch.broker.files import CERT, DYNSEC, KEY
from dispatch.doctor import browsers
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.settings import DispatchSettings
from dispatch.web.sessions import OWN_MAX
from lab.broker import free_port
from protocol.rest import Role
from service.settings import load
from tests.support.console_office import HOST, OFFICE, OTHER, ConsoleOffice, Person, Visitor
from tests.support.procs import eventually

CUT_S = 5.0
"""Who may not speak any more is cut within this."""
PLACE = f"ptt/v1/{OFFICE.region}/{OFFICE.office}"


class Page:
    """What a page does at the broker: MQTT 5 over websockets over TLS, with paho instead of mqtt.js."""

    def __init__(self, office: ConsoleOffice, login: str, secret: str, client_id: str = "") -> None:
        self.answers: list[str] = []
        self.downs: list[float] = []
        self.acks: dict[int, str] = {}
        self.subscribed: dict[int, str] = {}
        self.heard: list[str] = []
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or login,
            protocol=paho.MQTTv5,
            transport="websockets",
            reconnect_on_failure=False,
        )
        self.client.tls_set(str(office.ca))
        self.client.ws_set_options(path="/mqtt", headers={"Cookie": f"__Host-ptt-session={'x' * 6000}"})
        self.client.username_pw_set(login, secret)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_publish = self._published
        self.client.on_subscribe = self._subscribed
        self.client.on_message = lambda client, data, message: self.heard.append(message.topic)
        self.client.connect(HOST, office.websocket_port)
        self.client.loop_start()
        eventually(lambda: self.answers, CUT_S, f"an answer of the broker to {login}")

    @property
    def let_in(self) -> bool:
        return self.answers == ["Success"]

    def publish(self, topic: str) -> str:
        sent = self.client.publish(topic, b"{}", qos=1)
        return eventually(lambda: self.acks.get(sent.mid, ""), CUT_S, f"an answer to {topic}")

    def subscribe(self, pattern: str) -> str:
        _, mid = self.client.subscribe(pattern, qos=1)
        assert mid is not None
        return eventually(lambda: self.subscribed.get(mid, ""), CUT_S, f"an answer to {pattern}")

    def is_cut_at(self) -> float:
        """Wait for it; gives when (Unix s)."""
        return eventually(lambda: self.downs, CUT_S, "the broker cuts the page")[0]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _connected(self, client: Any, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        self.answers.append(str(reason))

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self.downs.append(time.time())

    def _published(self, client: Any, data: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        self.acks[mid] = str(reason)

    def _subscribed(self, client: Any, data: Any, mid: int, reasons: list[ReasonCode], properties: Any) -> None:
        self.subscribed[mid] = str(reasons[0])


class Rig(Struct):
    office: ConsoleOffice
    stack: ExitStack
    boss: Person
    watcher: Person
    secrets: list[str] = []

    def manager(self, name: str) -> Visitor:
        """Give a call manager of its own, signed in."""
        return self.office.visitor(self.office.add(name, Role.CALL_MANAGER))

    def issue(self, visitor: Visitor) -> dict[str, Any]:
        made = visitor.console()
        self.secrets.append(made["secret"])
        return made

    @contextmanager
    def serving_frozen(self) -> Iterator[None]:
        assert self.office.serving is not None
        self.office.serving.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.office.serving.signal(signal.SIGCONT)

    def page(self, made: dict[str, Any], *, voice: bool = False, client_id: str = "") -> Page:
        page = Page(self.office, made["voice_login" if voice else "login"], made["secret"], client_id)
        self.stack.callback(page.close)
        return page


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="c-"))
    with ExitStack() as stack:
        office = ConsoleOffice(folder, stack, floor="talk_limit_s = 20.0\nqueue = true")
        boss, watcher = office.add("boss", Role.ADMIN), office.add("watcher", Role.MONITOR)
        office.start()
        yield Rig(office, stack, boss, watcher)
    shutil.rmtree(folder, ignore_errors=True)


def problem(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert (body["status"], bool(body["detail"])) == (answer.status_code, True)
    return answer.status_code, body["type"].rpartition(":")[2]


def test_a_page_is_told_all_it_needs_and_is_let_in_with_it(rig: Rig) -> None:
    before = int(time.time() * 1000)
    made = rig.issue(rig.office.visitor(rig.office.desk))
    user = rig.office.desk.user
    assert made["url"] == f"wss://{HOST}:{rig.office.websocket_port}/mqtt"
    assert (made["login"], made["voice_login"]) == ("seoul.1.desk.console", "seoul.1.desk.console.voice")
    assert 0 <= made["expires_at"] - before - 3_600_000 < 10_000
    assert (made["boot"], made["generation"]) == (made["issue"], 0)
    assert made["office"] == {"region": "seoul", "office": "1", "name": "본사"}
    assert (made["user"], made["name"], made["uid"]) == ("desk", user.name, user.uid)
    assert (made["talk_limit_s"], made["queue"], made["voice"], made["priority_max"]) == (20.0, True, "mqtt", "normal")
    assert [rig.page(made, voice=voice).let_in for voice in (False, True)] == [True, True]


def test_a_page_may_at_the_broker_what_its_user_may_and_nothing_of_anybody_else(rig: Rig) -> None:
    made = rig.issue(rig.manager("own"))
    control, voice = rig.page(made), rig.page(made, voice=True)
    assert control.subscribe(f"{PLACE}/session") == "Granted QoS 1"
    for pattern in (f"ptt/v1/{OTHER.region}/{OTHER.office}/session", f"{PLACE}/#", "#"):
        assert control.subscribe(pattern) == "Not authorized"
    for topic in ("floor/desk", "presence/desk", "voice/own", "session"):
        assert control.publish(f"{PLACE}/{topic}") == "Not authorized"
    assert control.publish(f"ptt/v1/{OTHER.region}/{OTHER.office}/floor/own") == "Not authorized"
    assert voice.publish(f"{PLACE}/floor/own") == "Not authorized"
    assert "authorized" not in control.publish(f"{PLACE}/heartbeat/own").lower()


def test_a_pages_secret_opens_nothing_else(rig: Rig) -> None:
    made = rig.issue(rig.manager("narrow"))
    assert not rig.page(made, client_id="seoul.1.desk.console").let_in
    for login in ("seoul.1.narrow", "seoul.1.narrow.voice", "seoul.1.desk.console", "seoul.10.narrow.console"):
        assert not rig.page(made | {"login": login}).let_in
    visitor = rig.office.visitor()
    for login in (made["login"], "seoul.1.narrow"):
        assert visitor.post("/signin", {"login": login, "secret": made["secret"]}).status_code == 403


def test_the_second_of_two_pages_takes_over_and_the_first_can_find_out_why(rig: Rig) -> None:
    visitor = rig.manager("twice")
    first = rig.issue(visitor)
    pages = [rig.page(first), rig.page(first, voice=True)]
    second = rig.issue(visitor)
    for page in pages:
        page.is_cut_at()
    assert not rig.page(first).let_in
    assert rig.page(second).let_in
    state = visitor.get("/console/state").json()
    assert (state["issue"], state["valid"]) == (second["issue"], True)
    assert first["issue"] < second["issue"]
    assert 0 <= time.time() * 1000 - state["since"] < 60_000


def test_a_page_whose_hour_is_over_is_cut_within_5_s_and_not_let_in_again(rig: Rig) -> None:
    # given a page that was issued almost an hour ago
    visitor = rig.manager("late")
    secret = new_secret()
    kept, ahead_ms = hash_secret(secret), 1500
    earlier = SqlRegistry(
        f"sqlite:///{rig.office.folder}/office.db", wall_ms=lambda: int(time.time() * 1000) - 3_600_000 + ahead_ms
    )
    rig.stack.callback(earlier.close)
    issued = earlier.issue_console(OFFICE, "late", kept)
    with BrokerAdmin(rig.office.broker.server_settings()) as admin:
        admin.put_console(rig.office.people["late"].user, kept, secret)
    made = {"login": "seoul.1.late.console", "voice_login": "seoul.1.late.console.voice", "secret": secret.reveal()}
    page = rig.page(made)
    assert page.let_in

    # when its hour is over
    cut_at = page.is_cut_at()

    # then not before that, and within 5 s, it is cut; and the page can find out
    assert 0 <= cut_at * 1000 - issued.expires_at < CUT_S * 1000
    assert not rig.page(made).let_in
    assert visitor.get("/console/state").json()["valid"] is False
    again = rig.issue(visitor)
    assert again["issue"] > issued.issue
    assert rig.page(again).let_in


def test_who_signs_out_is_cut_but_not_the_page_that_took_over_elsewhere(rig: Rig) -> None:
    here, there = rig.manager("leaver"), rig.office.visitor(rig.office.people["leaver"])
    rig.issue(here)
    page = rig.page(rig.issue(there))
    assert here.send("/signout").status_code == 303
    assert there.get("/console/state").json()["valid"] is True
    assert there.send("/signout").status_code == 303
    page.is_cut_at()
    assert problem(there.get("/console/state")) == (401, "session_over")


def test_while_the_floor_control_server_hangs_a_sign_out_cuts_and_so_does_the_end_of_the_hour(rig: Rig) -> None:
    # given a page of somebody who is about to go, another whose hour is all but over, and a server that does nothing
    leaver, late = rig.manager("quitter"), rig.manager("overdue")
    page = rig.page(rig.issue(leaver))
    ahead_ms = 1000
    earlier = SqlRegistry(
        f"sqlite:///{rig.office.folder}/office.db", wall_ms=lambda: int(time.time() * 1000) - 3_600_000 + ahead_ms
    )
    rig.stack.callback(earlier.close)
    secret = new_secret()
    kept = hash_secret(secret)
    with rig.serving_frozen():
        earlier.issue_console(OFFICE, "overdue", kept)
        with BrokerAdmin(rig.office.broker.server_settings()) as admin:
            admin.put_console(rig.office.people["overdue"].user, kept, secret)
        login = "seoul.1.overdue.console"
        other = rig.page({"login": login, "voice_login": f"{login}.voice", "secret": secret.reveal()})
        assert other.let_in

        # when the one signs out and the other's time comes, then both are cut
        assert leaver.send("/signout").status_code == 303
        page.is_cut_at()
        eventually(lambda: other.downs, 10.0, "the page whose hour is over is cut")
    assert late.get("/console/state").json()["valid"] is False


def test_who_signs_in_as_somebody_else_leaves_no_console_open(rig: Rig) -> None:
    visitor = rig.manager("first")
    page = rig.page(rig.issue(visitor))
    assert visitor.sign_in(rig.watcher).status_code == 303
    page.is_cut_at()
    assert visitor.get("/me").json()["user"] == "watcher"


def test_a_session_ended_by_one_too_many_of_its_user_leaves_no_console_open(rig: Rig) -> None:
    page = rig.page(rig.issue(rig.manager("eager")))
    for _ in range(OWN_MAX):
        rig.office.visitor(rig.office.people["eager"])
    page.is_cut_at()


def test_who_is_revoked_is_cut_on_both_connections_and_signed_out(rig: Rig) -> None:
    visitor = rig.manager("sacked")
    token = visitor.csrf()
    made = rig.issue(visitor)
    pages = [rig.page(made), rig.page(made, voice=True)]
    assert rig.office.visitor(rig.boss).send("/admin/sacked/revoke", why="left").status_code == 200
    for page in pages:
        page.is_cut_at()
    assert not rig.page(made).let_in
    assert problem(visitor.post("/console/login", {"csrf": token})) == (401, "session_over")


def test_who_is_no_call_manager_or_comes_from_elsewhere_is_refused(rig: Rig) -> None:
    desk, watcher = rig.office.visitor(rig.office.desk), rig.office.visitor(rig.watcher)
    known = desk.get("/console/state").json()
    assert problem(watcher.send("/console/login")) == (403, "console_role")
    assert problem(watcher.get("/console/state")) == (403, "console_role")
    assert problem(rig.office.visitor().post("/console/login", {})) == (401, "session_over")
    for fields in ({"x": "y"}, {"csrf": ""}, {"csrf": watcher.csrf()}):
        assert problem(desk.post("/console/login", fields)) == (403, "error_csrf")
    assert problem(desk.post("/console/login", {"csrf": desk.csrf()}, "https://evil.example")) == (403, "error_csrf")
    assert desk.get("/console/state").json() == known
    refused = watcher.get("/console")
    assert (refused.status_code, "call managers" in refused.text) == (403, True)
    assert ("/console" in watcher.get("/kpi").text, "/console" in desk.get("/kpi").text) == (False, True)
    assert rig.office.visitor().get("/console").headers["location"] == "/signin"


def test_the_microphone_and_the_broker_are_for_the_consoles_page_alone(rig: Rig) -> None:
    desk = rig.office.visitor(rig.office.desk)
    page = desk.get("/console").headers
    reach = f"connect-src 'self' wss://{HOST}:{rig.office.websocket_port};"
    assert (reach in page["content-security-policy"], "unsafe" in page["content-security-policy"]) == (True, False)
    assert "microphone=(self)" in page["permissions-policy"]
    for answer in (desk.get("/"), desk.get("/console/state"), rig.office.visitor(rig.watcher).get("/console")):
        assert "wss:" not in answer.headers["content-security-policy"]
        assert "microphone=()" in answer.headers["permissions-policy"]


def test_who_asks_again_and_again_has_to_wait_and_holds_up_nobody_else(rig: Rig) -> None:
    visitor = rig.manager("hasty")
    answers = [visitor.send("/console/login") for _ in range(8)]
    rig.secrets += [answer.json()["secret"] for answer in answers if answer.ok]
    assert [answer.status_code for answer in answers[:6]] == [200] * 6
    assert problem(answers[-1]) == (429, "console_too_many")
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert rig.page(rig.issue(rig.manager("calm"))).let_in


def test_the_doctor_says_whether_browsers_get_in_and_what_to_do_where_they_do_not(rig: Rig) -> None:
    # given the settings of the office, and of one whose broker listens nowhere, or is no place for browsers
    settings = load(rig.office.config, DispatchSettings)
    ports = {"there": rig.office.websocket_port, "nowhere": free_port(), "other": rig.office.broker.port, "none": 0}
    asked = {key: replace(settings, web=replace(settings.web, websocket_port=port)) for key, port in ports.items()}

    # when the doctor looks
    told = {key: [(row.level.value, row.what) for row in browsers.look(each)] for key, each in asked.items()}

    # then it says what it found, and nothing where there are to be no consoles
    assert told == {
        "there": [("ok", "browsers")],
        "nowhere": [("warn", "browsers_silent")],
        "other": [("warn", "browsers_other")],
        "none": [],
    }


def test_a_renewed_certificate_is_shown_to_browsers_after_a_reload(rig: Rig) -> None:
    # given a certificate made anew, which the broker has not read yet
    made = rig.office.broker.folder / "pki"
    authority = pki.read_authority(made / "ca.pem", made / "ca.key")
    leaf = pki.new_server(authority, (HOST,), dt.datetime.now(dt.UTC))
    doors = rig.office.broker.doors
    (doors / CERT).write_bytes(leaf.certificate_pem)
    (doors / KEY).write_bytes(leaf.key_pem)
    settings = load(rig.office.config, DispatchSettings)
    assert [row.what for row in browsers.look(settings)] == ["browsers_older"]

    # when it is told to read it, then browsers are shown it
    os.kill(rig.office.broker.pid, signal.SIGHUP)
    eventually(lambda: [row.what for row in browsers.look(settings)] == ["browsers"], CUT_S, "the new certificate")


def test_a_broker_that_went_back_to_an_older_file_lets_no_page_in_that_has_ended_since(rig: Rig) -> None:
    # given a broker's file that holds a page, which was signed out since
    visitor = rig.manager("undead")
    made = rig.issue(visitor)
    file = rig.office.broker.doors / DYNSEC
    older = file.read_bytes()
    assert visitor.send("/signout").status_code == 303
    eventually(lambda: not rig.page(made).let_in, CUT_S, "the page is shut")

    # when the broker comes back with that file, and while it is away a page is asked for
    rig.office.broker.stop()
    desk = rig.office.visitor(rig.office.desk)
    known = desk.get("/console/state").json()
    assert problem(desk.send("/console/login")) == (503, "console_broker")
    assert desk.get("/console/state").json() == known
    file.write_bytes(older)
    rig.office.broker.start()

    # then the page is shut again, and whoever is to come in comes in
    page = rig.page(made)
    eventually(lambda: page.downs or not page.let_in, 10.0, "the page is shut again")
    assert not rig.page(made).let_in
    eventually(lambda: desk.send("/console/login").status_code in (200, 429), 10.0, "the broker is back")


def test_no_secret_of_a_page_stands_in_a_log_or_in_the_registry(rig: Rig) -> None:
    assert len(rig.secrets) >= 10
    texts = [rig.office.broker.log.encode()]
    texts += [path.read_bytes() for path in rig.office.folder.iterdir() if path.is_file()]
    assert len(texts) >= 5
    assert [secret for secret in rig.secrets if any(secret.encode() in text for text in texts)] == []
