"""The list of users where there are many: a page of them at a time, every one to be found, and the way on."""

import re
from datetime import UTC

import pytest
from msgspec.structs import replace

from dispatch.registry.words import User
from dispatch.registry_cli.show import state
from dispatch.web import admin_pages
from dispatch.web.sessions import Session
from dispatch.web.shell import Seen
from protocol.ids import OfficeId
from protocol.rest import Role

OFFICE = OfficeId("seoul", "1")


def user(number: int) -> User:
    return User(office=OFFICE, user=f"car-{number}", role=Role.VEHICLE_GATEWAY, name=f"Wagen {number}호", uid=number)


@pytest.fixture
def session() -> Session:
    times = {"began_s": 0.0, "used_s": 0.0}
    return Session(office=OFFICE, user="boss", role=Role.ADMIN, mark="m", csrf="c", digest="d", **times)


def shown(session: Session, count: int, **asked: object) -> tuple[list[str], str]:
    """Users on the page, and the page."""
    html = admin_pages.users(Seen(lang="en"), session, [user(n) for n in range(1, count + 1)], **asked).decode()
    return re.findall(r'<th scope="row"><a href="/vehicle/([^"]+)"', html), html


def test_a_small_office_is_on_one_page_without_anything_to_turn(session: Session) -> None:
    found, html = shown(session, 200, find="nobody")
    assert (found[0], len(found)) == ("car-1", 200)
    assert 'name="find"' not in html


def test_ten_thousand_are_turned_over_page_by_page_and_none_is_left_out(session: Session) -> None:
    found = [one for number in range(1, 51) for one in shown(session, 10_000, number=number)[0]]
    assert found == [f"car-{n}" for n in range(1, 10_001)]
    first, middle, last = (shown(session, 10_000, number=number)[1] for number in (1, 2, 50))
    assert "1–200 of 10000" in first
    assert "9801–10000 of 10000" in last
    assert [re.findall(r'rel="(\w+)"', html.partition("<main")[2]) for html in (first, middle, last)] == [
        ["next"],
        ["prev", "next"],
        ["prev"],
    ]


def test_who_is_looked_for_is_found_by_id_or_name_and_the_way_on_keeps_what_was_asked(session: Session) -> None:
    assert shown(session, 10_000, find="wagen 9999")[0] == ["car-9999"]
    found, html = shown(session, 10_000, find=" CAR-1")
    assert len(found) == 200
    assert "1–200 of 1112" in html
    assert 'href="/admin?find=+CAR-1&amp;page=2"' in html


@pytest.mark.parametrize("number", [0, -3, 99_999])
def test_a_page_there_is_not_is_the_nearest(session: Session, number: int) -> None:
    assert len(shown(session, 401, number=number)[0]) in (1, 200)


def test_what_finds_nobody_says_so_and_is_shown_as_it_was_typed(session: Session) -> None:
    found, html = shown(session, 300, find='"><script>')
    assert found == []
    assert "0–0 of 0" in html
    assert '"><script>' not in html


def test_a_unit_whose_secret_was_made_by_hand_is_not_called_unenrolled(session: Session) -> None:
    by_hand = replace(user(1), secret="hash")
    html = [admin_pages.users(Seen(lang="en"), session, [one]).decode() for one in (by_hand, user(1))]
    assert ["has a secret" in page for page in html] == [True, False]
    assert [state(one, "en", lambda _office: UTC) for one in (by_hand, user(1), replace(by_hand, generation=2))] == [
        "admitted",
        "not enrolled",
        "enrolled (2)",
    ]
