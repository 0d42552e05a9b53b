"""Faults of the plan that are not copied: the document's table of them, and those that no other test is named for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispatch.core.state import OfficeRules
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from gateway.core.words import TokenCame
from protocol.ids import OfficeId
from protocol.messages import Event, EventType, Roster
from protocol.worker import Token
from tests.core.dispatch_bench import Bench
from tests.core.test_gateway_tokens import CHANNEL, grant, session
from tests.core.test_gateway_tokens import Bench as TokensBench

ROOT = Path(__file__).resolve().parents[2]
CARS = ["car-1", "car-2", "car-3"]


def test_neither_a_grant_nor_a_new_session_overwrites_who_is_there() -> None:
    bench = Bench(OfficeRules(hang_s=2))
    for car in CARS:
        bench.presence(car, 1)

    bench.take("car-1", 1)
    first = bench.floor.event_id
    bench.presence("car-2", 2, in_channel=first)
    bench.presence("car-3", 2, in_channel=first)
    bench.release("car-1", 1)
    bench.take("car-2", 1)
    bench.advance(1.5)
    answered = bench.sent(Roster)[-1]
    bench.release("car-2", 1)
    bench.advance(4)
    bench.take("car-1", 2)
    bench.presence("car-3", 3, in_channel=bench.floor.event_id)
    bench.advance(1.5)
    again = bench.sent(Roster)[-1]

    assert bench.floor.event_id != first
    assert (answered.participants, again.participants) == (2, 1)
    assert [member.user for member in answered.members] == [member.user for member in again.members] == CARS


def test_the_events_of_office_1_are_none_of_office_10_and_an_offices_id_is_compared_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    store = SqlStore(url)
    offices = [OfficeId("seoul", "1"), OfficeId("seoul", "10"), OfficeId("seoul-1", "1")]
    for number, office in enumerate(offices, 1):
        told = Event(event=EventType.SESSION_STARTED, no=number, at=number, user=f"car-{number}")
        store.transact(office, lambda tx, told=told: tx.append_event(told), durable=True)  # type: ignore[misc]
    store.close()

    reader = StoreReader(url)
    found = {str(office): [event.user for event in reader.events(office)] for office in offices}
    reader.close()

    assert found == {"seoul/1": ["car-1"], "seoul/10": ["car-2"], "seoul-1/1": ["car-3"]}


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_with_a_token_held_a_sessions_start_waits_for_nothing(chance: float) -> None:
    bench = TokensBench(chance)
    bench.tokens.came(TokenCame(grant=grant()), 0.0)
    bench.taken()
    renewal = bench.due()

    bench.begin(session(), 10.0)

    assert bench.tokens.usable(CHANNEL, 10.0)
    assert [type(what) for what in bench.taken()] == [Token]  # to the worker, at once; nothing is fetched
    assert bench.due() == renewal


def test_every_fault_of_the_documents_table_names_tests_that_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    table = text.partition("\n## The plan's faults, not copied\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "`test_" in line]
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", code, re.MULTILINE))

    assert len(rows) == 8
    assert [name for row in rows for name in re.findall(r"`(test_\w+)`", row) if name not in there] == []
