"""Floor control server machine of one office: the table, and a procedure for each of its cells.

Every procedure runs inside a transaction on a `Turn`, so two requests of one moment, even at two replicas, are judged
one after the other. Inputs of the judge carry what it had seen and change nothing if the row has moved on since.
"""

from collections.abc import Callable
from typing import TypeVar

from dispatch.core import emergencies
from dispatch.core.audience import may_speak
from dispatch.core.holding import deny, end_burst, end_session, grant, log_denial, revoke_holder, say_granted, settle
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
from dispatch.core.state import Answer, FloorState, Member
from dispatch.core.turn import Turn
from dispatch.core.waiting import drop_from_queue, enqueue, say_position
from protocol.messages import (
    DenyCause,
    Ended,
    EventType,
    FloorAck,
    FloorDeny,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Priority,
    RevokeCause,
)

AnyInput = TypeVar("AnyInput", bound=Input)


def decide(turn: Turn, asked: Asked) -> bool:
    """Run the cell for (state, input); False where the table has none: the message is discarded, the state kept."""
    cell = TABLE.get((turn.floor.state, WORDS[type(asked.input)]))
    if cell is None:
        return False
    cell(turn, asked)
    return True


# --- requests -------------------------------------------------------------------------------------------------------


def judge_request(turn: Turn, asked: Asked) -> None:
    """Answer a request: a repeated one as before, an older one not at all, a new one by the floor's state."""
    request = _input(asked, FloorRequest)
    member = turn.member(asked.user)
    if request.request_id < member.request_id:
        return
    if request.request_id == member.request_id:
        _answer_again(turn, member, asked)
        return
    priority = _clamped(turn, asked.user, request.priority)
    drop_from_queue(turn, asked.user)
    speaks = may_speak(turn.rules, member)
    if request.priority is Priority.EMERGENCY:
        member = emergencies.asked(turn, member, allowed=speaks and priority is Priority.EMERGENCY)
    if not speaks:
        deny(turn, member, request.request_id, DenyCause.RECEIVE_ONLY, asked)
        return
    floor = turn.floor
    if floor.state is FloorState.IDLE:
        grant(turn, member, request.request_id, priority)
    elif floor.holder == asked.user:
        end_burst(turn, Ended.SUPERSEDED, None)
        if turn.floor.queue:  # its turn is over: behind those who wait
            enqueue(turn, turn.member(asked.user), request.request_id, priority)
            settle(turn)
        else:
            grant(turn, member, request.request_id, priority)
    elif floor.state is FloorState.PENDING_REVOKE and not floor.queue:
        end_burst(turn, Ended.LIMIT, None)
        grant(turn, member, request.request_id, priority)
    elif priority.rank > floor.priority.rank:
        revoke_holder(turn, RevokeCause.PREEMPTED)
        end_burst(turn, Ended.PREEMPTED, None)
        grant(turn, member, request.request_id, priority)
    elif not turn.rules.queue:
        deny(turn, member, request.request_id, DenyCause.ANOTHER_HAS_PERMISSION, asked)
    elif len(floor.queue) >= turn.rules.queue_max:
        deny(turn, member, request.request_id, DenyCause.QUEUE_FULL, asked)
    else:
        enqueue(turn, member, request.request_id, priority)


def _answer_again(turn: Turn, member: Member, asked: Asked) -> None:
    match member.answer:
        case Answer.GRANTED:
            if turn.floor.holder == member.user and turn.floor.request_id == member.request_id:
                say_granted(turn, member.user)
        case Answer.QUEUED:
            say_position(turn, member.user)
        case Answer.DENIED:
            mute = not may_speak(turn.rules, member)
            cause = DenyCause.RECEIVE_ONLY if mute else DenyCause.ANOTHER_HAS_PERMISSION
            deny(turn, member, member.request_id, cause, asked)
        case Answer.CLOSED:
            pass


def _clamped(turn: Turn, user: str, wanted: Priority) -> Priority:
    """An emergency is everybody's, whatever the registry says of its priority, unless the office allows none."""
    allowed = turn.rules.priorities.get(user, Priority.NORMAL)
    if wanted is Priority.EMERGENCY and turn.rules.emergency:
        return wanted
    return min(wanted, allowed, key=lambda p: p.rank)


# --- queue ----------------------------------------------------------------------------------------------------------


def forget_queued(turn: Turn, asked: Asked) -> None:
    """Take a silent member out of the queue."""
    gone = _input(asked, Forget)
    member = turn.member(gone.user)
    if member.request_id == gone.request_id and member.answer is Answer.QUEUED:
        drop_from_queue(turn, gone.user)
        turn.put_member(member, answer=Answer.CLOSED)


# --- holder ---------------------------------------------------------------------------------------------------------


def _holds(turn: Turn, user: str, burst: int) -> bool:
    return turn.floor.holder == user and turn.floor.burst == burst


def renew(turn: Turn, asked: Asked) -> None:
    """Keep the holder's lease; whoever else renews is told to stop."""
    message = _input(asked, FloorRenew)
    if not _holds(turn, asked.user, message.burst):
        refuse_renewal(turn, asked)
        return
    if message.renew_no > turn.floor.renew_no:
        turn.note(renew_no=message.renew_no, renewed_at=turn.wall_ms)
    turn.reply(
        asked.user,
        FloorRenewed(
            rev=turn.floor.rev,
            burst=message.burst,
            renew_no=message.renew_no,
            all_joined=turn.audience.all_joined(asked.user, turn.floor.event_id),
        ),
    )


def refuse_renewal(turn: Turn, asked: Asked) -> None:
    """Tell a member that this burst is not its own (any more)."""
    message = _input(asked, FloorRenew)
    cause = RevokeCause.BURST_TOO_LONG if _holds(turn, asked.user, message.burst) else RevokeCause.NO_PERMISSION
    turn.reply(asked.user, FloorRevoke(rev=turn.floor.rev, burst=message.burst, cause=cause))


def release(turn: Turn, asked: Asked) -> None:
    """End the burst or the wait of a request, close the request for good, acknowledge."""
    message = _input(asked, FloorRelease)
    member = turn.member(asked.user)
    if message.request_id >= member.request_id:
        turn.put_member(member, request_id=message.request_id, answer=Answer.CLOSED)
    floor = turn.floor
    if floor.holder == asked.user and floor.request_id is not None and floor.request_id <= message.request_id:
        own = floor.request_id == message.request_id
        revoked = floor.state is FloorState.PENDING_REVOKE
        end_burst(turn, Ended.LIMIT if revoked else Ended.RELEASED, message.last_seq if own and not revoked else None)
    queued = next((q for q in turn.floor.queue if q.user == asked.user), None)
    if queued and queued.request_id <= message.request_id:
        drop_from_queue(turn, asked.user)
    settle(turn)
    turn.reply(asked.user, FloorAck(rev=turn.floor.rev, request_id=message.request_id))


# --- those who do not belong ------------------------------------------------------------------------------------------


def take_back(turn: Turn) -> None:
    """End the burst of a holder that does not belong (any more), and tell it."""
    revoke_holder(turn, RevokeCause.NO_PERMISSION)
    end_burst(turn, Ended.CLEANED, None)
    settle(turn)


def drop_stranger(turn: Turn, user: str) -> None:
    """Take one that does not belong (any more) out of the queue, and tell it."""
    queued = next((q for q in turn.floor.queue if q.user == user), None)
    if queued is not None:
        drop_from_queue(turn, user)
        member = turn.put_member(turn.member(user), answer=Answer.CLOSED)
        log_denial(turn, member, queued.request_id, DenyCause.NOT_ADMITTED)
        turn.reply(user, FloorDeny(rev=turn.floor.rev, request_id=queued.request_id, cause=DenyCause.NOT_ADMITTED))


# --- the judge's verdicts -------------------------------------------------------------------------------------------


def lease_over(turn: Turn, asked: Asked) -> None:
    """Free a floor whose holder fell silent, if it still is the pair the judge had seen."""
    seen = _input(asked, LeaseOver)
    if (turn.floor.burst, turn.floor.renew_no) != (seen.burst, seen.renew_no):
        return
    if turn.floor.renew_no:
        turn.event(EventType.HEARTBEAT_LOST, turn.floor.holder, turn.floor.holder_name, burst=seen.burst, of="floor")
    end_burst(turn, Ended.LOST, None)
    settle(turn)


def limit_over(turn: Turn, asked: Asked) -> None:
    """Revoke a burst that outlived its limit; the holder has T3 to release it."""
    if turn.floor.burst == _input(asked, LimitOver).burst:
        revoke_holder(turn, RevokeCause.BURST_TOO_LONG)
        turn.change(state=FloorState.PENDING_REVOKE)


def grace_over(turn: Turn, asked: Asked) -> None:
    """Take the floor from a revoked holder that did not release it."""
    if turn.floor.burst == _input(asked, GraceOver).burst:
        end_burst(turn, Ended.LIMIT, None)
        settle(turn)


def hang_over(turn: Turn, asked: Asked) -> None:
    """End a session in which nobody answered."""
    if turn.floor.active and turn.floor.rev == _input(asked, HangOver).rev:
        end_session(turn, "hang time over")


def clean_floor(turn: Turn, burst: int) -> None:
    """Free a floor the judge should have freed; the sweep's own hand."""
    turn.event(EventType.CLEANED, turn.floor.holder, turn.floor.holder_name, reason="stale_floor", burst=burst)
    end_burst(turn, Ended.CLEANED, None)
    settle(turn)


def clean_session(turn: Turn) -> None:
    """End a session the judge should have ended."""
    turn.event(EventType.CLEANED, reason="stale_session")
    end_session(turn, "cleaned")


def _input(asked: Asked, kind: type[AnyInput]) -> AnyInput:
    if not isinstance(asked.input, kind):
        raise TypeError(f"the table gave a {type(asked.input).__name__} to a procedure for {kind.__name__}")
    return asked.input


_I, _T, _R = FloorState.IDLE, FloorState.TAKEN, FloorState.PENDING_REVOKE

TABLE: dict[tuple[FloorState, Word], Callable[[Turn, Asked], None]] = {
    (_I, Word.REQUEST): judge_request,
    (_T, Word.REQUEST): judge_request,
    (_R, Word.REQUEST): judge_request,
    (_I, Word.RELEASE): release,
    (_T, Word.RELEASE): release,
    (_R, Word.RELEASE): release,
    (_I, Word.RENEW): refuse_renewal,
    (_T, Word.RENEW): renew,
    (_R, Word.RENEW): refuse_renewal,
    (_T, Word.LEASE_OVER): lease_over,
    (_R, Word.LEASE_OVER): lease_over,
    (_T, Word.LIMIT_OVER): limit_over,
    (_R, Word.GRACE_OVER): grace_over,
    (_I, Word.HANG_OVER): hang_over,
    (_T, Word.FORGET): forget_queued,
    (_R, Word.FORGET): forget_queued,
}
"""(state, input) -> procedure. An empty cell discards the message and keeps the state (TS 24.380 6.3.4.1)."""
