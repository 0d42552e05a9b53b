"""The floor control server's table: every state × input, and the document made from it."""

from itertools import product

import pytest
from msgspec import Struct
from msgspec.structs import replace

from dispatch.core.floor import TABLE, decide
from dispatch.core.inputs import (
    WORDS,
    Asked,
    Forget,
    GraceOver,
    HangOver,
    Input,
    LeaseOver,
    LimitOver,
    Word,
)
from dispatch.core.state import Answer, Floor, FloorState, Member, OfficeRules, Queued
from dispatch.core.table_doc import markdown
from dispatch.core.turn import Turn
from dispatch.ports import OfficeTx
from dispatch.store.sql import SqlStore
from protocol.messages import (
    Ended,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    Priority,
)
from tests.core.dispatch_bench import HQ

IDLE, TAKEN, REVOKE = FloorState
BURST, REV = 5, 20
HELD = (1, 1, 1, 5)
WAITING = Queued(user="car-3", request_id=(1, 1, 1, 1), priority=Priority.NORMAL)


class Outcome(Struct, frozen=True, kw_only=True):
    """What a cell did: the state and holder after it, messages in order, events in order."""

    state: FloorState
    holder: str | None
    said: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    ended: Ended | None = None
    active: bool = True


INPUTS: dict[Word, tuple[str, Input]] = {
    Word.REQUEST: ("car-2", FloorRequest(request_id=(1, 1, 1, 1))),
    Word.RELEASE: ("car-1", FloorRelease(request_id=HELD, burst=BURST, last_seq=9)),
    Word.RENEW: ("car-1", FloorRenew(burst=BURST, renew_no=2)),
    Word.LEASE_OVER: ("", LeaseOver(burst=BURST, renew_no=1)),
    Word.LIMIT_OVER: ("", LimitOver(burst=BURST)),
    Word.GRACE_OVER: ("", GraceOver(burst=BURST)),
    Word.HANG_OVER: ("", HangOver(rev=REV)),
    Word.FORGET: ("", Forget(user="car-3", request_id=WAITING.request_id)),
}

REFUSED = Outcome(state=TAKEN, holder="car-1", said=("floor_deny car-2",), logged=("DENIED",))
GRANTED = Outcome(state=TAKEN, holder="car-2", said=("floor_granted car-2",), logged=("SPEAKER_CHANGED",))
LOST = Outcome(state=IDLE, holder=None, logged=("HEARTBEAT_LOST", "BURST_ENDED"), ended=Ended.LOST)
STOP = ("floor_revoke car-1",)

CELLS: dict[tuple[FloorState, Word], Outcome] = {
    (IDLE, Word.REQUEST): GRANTED,
    (TAKEN, Word.REQUEST): REFUSED,
    (REVOKE, Word.REQUEST): replace(GRANTED, logged=("BURST_ENDED", "SPEAKER_CHANGED")),
    (IDLE, Word.RELEASE): Outcome(state=IDLE, holder=None, said=("floor_ack car-1",), ended=Ended.RELEASED),
    (TAKEN, Word.RELEASE): Outcome(
        state=IDLE, holder=None, said=("floor_ack car-1",), logged=("BURST_ENDED",), ended=Ended.RELEASED
    ),
    (REVOKE, Word.RELEASE): Outcome(
        state=IDLE, holder=None, said=("floor_ack car-1",), logged=("BURST_ENDED",), ended=Ended.LIMIT
    ),
    (IDLE, Word.RENEW): Outcome(state=IDLE, holder=None, said=STOP, ended=Ended.RELEASED),
    (TAKEN, Word.RENEW): Outcome(state=TAKEN, holder="car-1", said=("floor_renewed car-1",)),
    (REVOKE, Word.RENEW): Outcome(state=REVOKE, holder="car-1", said=STOP),
    (TAKEN, Word.LEASE_OVER): LOST,
    (REVOKE, Word.LEASE_OVER): LOST,
    (TAKEN, Word.LIMIT_OVER): Outcome(state=REVOKE, holder="car-1", said=STOP, logged=("REVOKED",)),
    (REVOKE, Word.GRACE_OVER): Outcome(state=IDLE, holder=None, logged=("BURST_ENDED",), ended=Ended.LIMIT),
    (IDLE, Word.HANG_OVER): Outcome(
        state=IDLE, holder=None, logged=("SESSION_ENDED",), ended=Ended.RELEASED, active=False
    ),
    (TAKEN, Word.FORGET): Outcome(state=TAKEN, holder="car-1"),
    (REVOKE, Word.FORGET): Outcome(state=REVOKE, holder="car-1"),
}
ALL = list(product(FloorState, Word))
EMPTY = [cell for cell in ALL if cell not in CELLS]


def floor_in(state: FloorState) -> Floor:
    """A session under way; in the held states car-1 holds burst 5, renewed once."""
    base = Floor(store="s", channel_name="c", rev=REV, burst=BURST, active=True, event_id="e", state=state)
    if state is IDLE:
        return replace(base, ended=Ended.RELEASED)
    return replace(base, holder="car-1", holder_name="car-1", request_id=HELD, renew_no=1)


def run(state: FloorState, word: Word, *, queue: tuple[Queued, ...] = ()) -> tuple[bool, Floor, Floor, Turn, Member]:
    """Put the office into `state`, give it the input of `word`; known?, floor before and after, turn, car-3."""
    store = SqlStore("sqlite://")
    before = replace(floor_in(state), queue=queue)
    user, given = INPUTS[word]

    def prepare(tx: OfficeTx) -> None:
        tx.put_floor(before)
        tx.put_member(Member(user="car-1", request_id=HELD, answer=Answer.GRANTED))
        tx.put_member(Member(user="car-3", request_id=WAITING.request_id, answer=Answer.QUEUED))

    def act(tx: OfficeTx) -> tuple[bool, Turn, Member]:
        turn = Turn(tx, HQ, OfficeRules(), 1000, lambda: "new")
        known = decide(turn, Asked(input=given, user=user, remaining_s=7.0))
        turn.close()
        return known, turn, turn.member("car-3")

    store.transact(HQ, prepare, durable=True)
    known, turn, waiting = store.transact(HQ, act, durable=True)
    after = store.transact(HQ, lambda tx: tx.floor(), durable=False)
    store.close()
    assert after is not None
    return known, before, after, turn, waiting


def replies(turn: Turn) -> tuple[str, ...]:
    tags = [(type(p.message).__struct_config__.tag, p.ids) for p in turn.out if p.message is not None]
    return tuple(f"{tag} {ids[0]}" for tag, ids in tags if ids)


@pytest.mark.parametrize(("state", "word"), CELLS, ids=lambda x: x.value)
def test_each_cell_of_the_table_does_what_it_says(state: FloorState, word: Word) -> None:
    known, before, after, turn, _ = run(state, word)

    expected = CELLS[state, word]
    assert known
    assert expected == Outcome(
        state=after.state,
        holder=after.holder,
        said=replies(turn),
        logged=tuple(e.event.value for e in turn.events),
        ended=after.ended,
        active=after.active,
    )
    visible = before.session() != replace(after.session(), rev=before.rev)
    assert (after.rev > before.rev) is (visible or after.state is not before.state)
    assert [p.message for p in turn.out if p.kind.value == "session"] == [after.session()] * (after.rev > before.rev)


@pytest.mark.parametrize(("state", "word"), EMPTY, ids=lambda x: x.value)
def test_each_empty_cell_discards_and_keeps_everything(state: FloorState, word: Word) -> None:
    known, before, after, turn, _ = run(state, word)

    assert (known, after, turn.out, turn.events) == (False, before, [], [])


def test_the_cells_under_test_are_those_of_the_table() -> None:
    assert set(CELLS) == set(TABLE)
    assert set(WORDS.values()) == set(Word) == set(INPUTS)


@pytest.mark.parametrize("state", [TAKEN, REVOKE])
def test_a_forgotten_member_leaves_the_queue_and_its_request_is_over(state: FloorState) -> None:
    _, _, after, _, waiting = run(state, Word.FORGET, queue=(WAITING,))

    assert after.queue == ()
    assert waiting.answer is Answer.CLOSED


def test_a_burst_revoked_and_released_tells_no_tail() -> None:
    _, _, released, _, _ = run(TAKEN, Word.RELEASE)
    _, _, revoked, _, _ = run(REVOKE, Word.RELEASE)

    assert (released.last_seq, revoked.last_seq) == (9, None)


STALE: list[tuple[FloorState, Input]] = [
    (TAKEN, LeaseOver(burst=BURST, renew_no=0)),
    (TAKEN, LeaseOver(burst=BURST - 1, renew_no=1)),
    (TAKEN, LimitOver(burst=BURST - 1)),
    (REVOKE, GraceOver(burst=BURST - 1)),
    (IDLE, HangOver(rev=REV - 1)),
    (TAKEN, Forget(user="car-3", request_id=(1, 1, 1, 0))),
]


@pytest.mark.parametrize(("state", "verdict"), STALE)
def test_a_verdict_on_what_has_moved_on_changes_nothing(
    state: FloorState, verdict: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = WORDS[type(verdict)]
    monkeypatch.setitem(INPUTS, word, ("", verdict))

    _, before, after, turn, _ = run(state, word, queue=(WAITING,) if state is TAKEN else ())

    assert after == before
    assert turn.out == []


def test_the_document_has_a_cell_for_every_state_and_input_and_explains_every_procedure() -> None:
    lines = markdown().splitlines()

    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    for word in Word:
        cells = [cell.strip() for cell in rows[word.value].strip("|").split("|")[1:]]
        names = {state: f"`{cell.__name__}`" for (state, of), cell in TABLE.items() if of is word}
        assert cells == [names.get(state, "-") for state in FloorState]
    for procedure in set(TABLE.values()):
        assert any(line.startswith(f"- `{procedure.__name__}`: ") for line in lines)
