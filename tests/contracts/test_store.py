"""What every store must hold: atomicity, one holder at a time, durability, identity, the outbox, clear refusals."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.core.state import Floor, FloorState, Member
from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.store.sql import SqlStore
from protocol.messages import Event
from tests.contracts.store_rig import BACKENDS, BUSAN, HQ, Opener, append, event, floor_of, make_opener


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    with contextlib.ExitStack() as stack:
        yield make_opener(request.param, tmp_path, stack)


@pytest.fixture
def store(opener: Opener) -> SqlStore:
    return opener()


# --- transactions -----------------------------------------------------------------------------------------------------


def test_an_office_never_served_has_no_floor_and_no_members(store: SqlStore) -> None:
    seen = store.transact(HQ, lambda tx: (tx.floor(), tx.member("car-1"), tx.members()), durable=False)

    assert seen == (None, None, ())


def test_what_is_put_is_seen_inside_the_transaction_and_after_it(store: SqlStore) -> None:
    def put(tx: OfficeTx) -> tuple[Floor | None, Member | None, tuple[Member, ...]]:
        tx.put_member(Member(user="car-2"))
        tx.put_floor(replace(floor_of(tx), burst=7))
        tx.put_member(Member(user="car-1", beats=1))
        tx.put_member(Member(user="car-1", beats=2))
        return tx.floor(), tx.member("car-1"), tx.members()

    inside = store.transact(HQ, put, durable=True)

    after = store.transact(HQ, lambda tx: (tx.floor(), tx.member("car-1"), tx.members()), durable=False)
    assert inside == after
    assert [m.user for m in after[2]] == ["car-1", "car-2"]
    assert after[1] == Member(user="car-1", beats=2)


def test_every_field_of_floor_and_member_comes_back_as_it_was(store: SqlStore) -> None:
    from dispatch.core.state import Answer, Queued
    from protocol.messages import AppType, Ended, PresenceState, Priority

    floor = Floor(
        store=store.store_id,
        channel_name="서울_hq",
        epoch=3,
        rev=2**52,
        state=FloorState.PENDING_REVOKE,
        burst=2**52 + 1,
        holder="car-1",
        holder_name="김 '기사\"; --",
        holder_uid=2**32 - 1,
        priority=Priority.EMERGENCY,
        request_id=(1, 2, 3, 4),
        renew_no=9,
        ended=Ended.PREEMPTED,
        last_seq=2**32 - 1,
        active=True,
        event_id="e",
        started_at=2**52,
        queue=(Queued(user="car-2", request_id=(1, 1, 1, 1), priority=Priority.HIGH),),
        event_no=5,
    )
    member = Member(
        user="car-1",
        state=PresenceState.SLEEPING,
        connection_id=(1, 2, 2**53 - 1),
        presence_no=4,
        beats=5,
        in_channel="e",
        app_type=AppType.MONITOR,
        name="\0 이름",
        device_info="Pi",
        joined_at=1,
        reason="r",
        request_id=(1, 2, 3, 4),
        answer=Answer.QUEUED,
    )

    def put(tx: OfficeTx) -> None:
        tx.put_floor(floor)
        tx.put_member(member)

    store.transact(HQ, put, durable=True)

    assert store.transact(HQ, lambda tx: (tx.floor(), tx.member("car-1")), durable=False) == (floor, member)


def test_a_transaction_that_raises_leaves_nothing_behind(store: SqlStore) -> None:
    store.transact(HQ, lambda tx: tx.put_floor(replace(floor_of(tx), burst=1)), durable=True)

    def fail(tx: OfficeTx) -> None:
        tx.put_floor(replace(floor_of(tx), burst=2))
        tx.put_member(Member(user="car-1"))
        tx.append_event(event(1))
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        store.transact(HQ, fail, durable=True)

    floor, members = store.transact(HQ, lambda tx: (tx.floor(), tx.members()), durable=False)
    assert (floor and floor.burst, members, store.unpublished(HQ, 10)) == (1, (), ())


def test_an_event_number_used_twice_is_refused_with_all_of_its_transaction(store: SqlStore) -> None:
    store.transact(HQ, lambda tx: tx.append_event(event(1)), durable=True)

    def repeat(tx: OfficeTx) -> None:
        tx.put_member(Member(user="car-1"))
        tx.append_event(event(1))

    with pytest.raises(StoreUnavailable, match="already has an event"):
        store.transact(HQ, repeat, durable=True)

    assert store.transact(HQ, lambda tx: tx.members(), durable=False) == ()


def test_a_name_with_a_nul_in_it_is_logged_without(store: SqlStore) -> None:
    store.transact(HQ, append(replace(event(1), name="a\0b", event_id="\0")), durable=True)

    [logged] = store.unpublished(HQ, 10)
    assert (logged.name, logged.event_id) == ("a\N{REPLACEMENT CHARACTER}b", "\N{REPLACEMENT CHARACTER}")


def test_offices_do_not_see_each_other(store: SqlStore) -> None:
    def put(tx: OfficeTx) -> None:
        tx.put_floor(floor_of(tx))
        tx.put_member(Member(user="car-1"))
        tx.append_event(event(1))

    store.transact(HQ, put, durable=True)

    assert store.transact(BUSAN, lambda tx: (tx.floor(), tx.members()), durable=False) == (None, ())
    assert store.unpublished(BUSAN, 10) == ()


# --- outbox -----------------------------------------------------------------------------------------------------------


def test_events_are_unpublished_oldest_first_until_they_are_marked(store: SqlStore) -> None:
    log = [event(no, burst=no, name="가") for no in range(1, 6)]
    store.transact(HQ, append(*log), durable=True)

    assert store.unpublished(HQ, 3) == tuple(log[:3])
    store.mark_published(HQ, (2, 1, 4))
    assert store.unpublished(HQ, 10) == (log[2], log[4])
    store.mark_published(HQ, ())
    store.mark_published(HQ, (3, 5, 99))
    assert store.unpublished(HQ, 10) == ()


# --- identity ---------------------------------------------------------------------------------------------------------


def test_a_store_keeps_its_identity_and_rows_when_it_is_opened_again(opener: Opener) -> None:
    first = opener()
    first.transact(HQ, lambda tx: tx.put_floor(replace(floor_of(tx), burst=7)), durable=True)

    again = opener()

    floor = again.transact(HQ, lambda tx: tx.floor(), durable=False)
    assert again.store_id == first.store_id == (floor and floor.store)


def test_two_stores_have_two_identities() -> None:
    one, other = SqlStore("sqlite://"), SqlStore("sqlite://")

    assert one.store_id != other.store_id


users = st.sampled_from(["car-1", "car-2", "car-3"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("floor"), st.integers(0, 2**53 - 1)),
        st.tuples(st.just("member"), users, st.integers(0, 99)),
        st.tuples(st.just("event"), st.text(max_size=20)),
        st.tuples(st.just("publish"), st.integers(1, 12)),
        st.tuples(st.just("fail")),
        st.tuples(st.just("commit"), st.booleans()),
        st.tuples(st.just("reopen")),
    ),
    max_size=30,
)


# --- any sequence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=steps)
def test_any_sequence_of_transactions_leaves_what_a_dictionary_would(
    backend: str, script: list[tuple[str, ...]]
) -> None:
    folder = Path(tempfile.mkdtemp())
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        opener = make_opener(backend, folder, stack)
        store = opener()
        kept: dict[str, object] = {}
        log: dict[int, tuple[Event, bool]] = {}
        pending: list[tuple[str, ...]] = []
        for step in script:
            match step:
                case ("commit" | "fail", *durable):
                    apply(store, kept, log, pending, fails=step[0] == "fail", durable=bool(durable and durable[0]))
                    pending = []
                case ("publish", no):
                    store.mark_published(HQ, (int(no),))
                    log.update({int(no): (log[int(no)][0], True)} if int(no) in log else {})
                case ("reopen",):
                    store = opener()
                case _:
                    pending.append(step)

        floor, members = store.transact(HQ, lambda tx: (tx.floor(), tx.members()), durable=False)
        assert (floor and floor.burst) == kept.get("floor")
        assert {m.user: m.beats for m in members} == {k: v for k, v in kept.items() if k != "floor"}
        assert store.unpublished(HQ, 1000) == tuple(e for _, (e, done) in sorted(log.items()) if not done)


def apply(
    store: SqlStore,
    kept: dict[str, object],
    log: dict[int, tuple[Event, bool]],
    pending: list[tuple[str, ...]],
    *,
    fails: bool,
    durable: bool,
) -> None:
    """Run the pending steps in one transaction and, unless it fails, in the dictionaries too."""
    new_kept, new_log = dict(kept), dict(log)

    def run(tx: OfficeTx) -> None:
        for step in pending:
            match step:
                case ("floor", burst):
                    tx.put_floor(replace(floor_of(tx), burst=int(burst)))
                    new_kept["floor"] = int(burst)
                case ("member", user, beats):
                    tx.put_member(Member(user=user, beats=int(beats)))
                    new_kept[user] = int(beats)
                case ("event", text):
                    made = event(len(new_log) + 1, text=text)
                    tx.append_event(made)
                    new_log[made.no] = (made, False)
        if fails:
            raise LookupError("on purpose")

    with pytest.raises(LookupError) if fails else contextlib.nullcontext():
        store.transact(HQ, run, durable=durable)
    if not fails:
        kept.update(new_kept)
        log.update(new_log)
