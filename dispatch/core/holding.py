"""What becomes of a floor and its session in a `Turn`: granted, denied, ended, given to who waits.

The procedures of `dispatch.core.floor` are made of these; each leaves the row in a state of the table.
"""

from dispatch.core.hearing import burst_over
from dispatch.core.inputs import Asked
from dispatch.core.state import Answer, FloorState, Member
from dispatch.core.turn import Turn
from dispatch.core.waiting import say_position
from protocol.ids import RequestId
from protocol.messages import DenyCause, Ended, EventType, FloorDeny, FloorGranted, FloorRevoke, Priority, RevokeCause
from protocol.timers import LEASE_S


def grant(turn: Turn, member: Member, request_id: RequestId, priority: Priority) -> None:
    """Give the floor to a member that may speak: a new burst, and a new session where none is open."""
    floor = turn.floor
    starting = not floor.active
    turn.put_member(member, request_id=request_id, answer=Answer.GRANTED)
    turn.change(
        state=FloorState.TAKEN,
        burst=floor.next_burst(),
        holder=member.user,
        holder_name=turn.name_of(member),
        holder_uid=turn.audience.speaker_uid(member),
        channel_name=turn.channel_name if starting else floor.channel_name,
        priority=priority,
        request_id=request_id,
        renew_no=0,
        renewed_at=turn.wall_ms,
        ended=None,
        last_seq=None,
        active=True,
        heard_by=None,
        heard_of=None,
        event_id=turn.new_id() if starting else floor.event_id,
        started_at=turn.wall_ms if starting else floor.started_at,
    )
    say_granted(turn, member.user)
    name = turn.floor.holder_name
    if starting:
        turn.event(EventType.SESSION_STARTED, member.user, name, channel_name=turn.floor.channel_name)
    turn.event(
        EventType.SPEAKER_CHANGED,
        member.user,
        name,
        burst=turn.floor.burst,
        priority=priority.value,
        request_id=list(request_id),
    )


def say_granted(turn: Turn, user: str) -> None:
    """Tell the holder (again) that it may speak."""
    floor = turn.floor
    if floor.request_id is None:
        return
    turn.reply(
        user,
        FloorGranted(
            rev=floor.rev,
            request_id=floor.request_id,
            burst=floor.burst,
            duration_s=turn.rules.talk_limit_s,
            lease_s=LEASE_S,
            all_joined=turn.audience.all_joined(user, floor.event_id),
        ),
    )


def deny(turn: Turn, member: Member, request_id: RequestId, cause: DenyCause, asked: Asked) -> None:
    """Tell a member why it may not speak, and who does."""
    if request_id != member.request_id:  # else it is told again
        log_denial(turn, member, request_id, cause)
    turn.put_member(member, request_id=request_id, answer=Answer.DENIED)
    floor = turn.floor
    turn.reply(
        member.user,
        FloorDeny(
            rev=floor.rev,
            request_id=request_id,
            cause=cause,
            speaker=floor.holder,
            speaker_name=floor.holder_name,
            remaining_s=asked.at_most_s(floor.burst, turn.rules.talk_limit_s) if floor.holder else None,
            priority=floor.priority,
        ),
    )


def log_denial(turn: Turn, member: Member, request_id: RequestId, cause: DenyCause) -> None:
    """Tell the log that a press was denied, and because of whom."""
    floor = turn.floor
    turn.event(
        EventType.DENIED,
        member.user,
        turn.name_of(member),
        cause=cause.value,
        speaker=floor.holder,
        request_id=list(request_id),
    )


def end_burst(turn: Turn, ended: Ended, last_seq: int | None) -> None:
    """End the holder's burst, whoever it is that ends it: the floor is idle, and nobody is given it yet."""
    floor = turn.floor
    if floor.holder is not None:
        holder = turn.member(floor.holder)
        if holder.request_id == floor.request_id:
            turn.put_member(holder, answer=Answer.CLOSED)
    turn.event(
        EventType.BURST_ENDED,
        floor.holder,
        floor.holder_name,
        burst=floor.burst,
        ended=ended.value,
        last_seq=last_seq,
        unrenewed_ms=None if floor.renewed_at is None else turn.wall_ms - floor.renewed_at,
    )
    burst_over(turn, ended, last_seq)
    turn.change(
        state=FloorState.IDLE,
        holder=None,
        holder_name=None,
        holder_uid=0,
        priority=Priority.NORMAL,
        request_id=None,
        renew_no=0,
        renewed_at=None,
        ended=ended,
        last_seq=last_seq,
    )


def revoke_holder(turn: Turn, cause: RevokeCause) -> None:
    """Tell the holder to stop."""
    floor = turn.floor
    if floor.holder is not None:
        turn.reply(floor.holder, FloorRevoke(rev=floor.rev, burst=floor.burst, cause=cause))
        turn.event(EventType.REVOKED, floor.holder, floor.holder_name, burst=floor.burst, cause=cause.value)


def settle(turn: Turn) -> None:
    """Give an idle floor to the first who waits; where nobody does and no hang time is set, end the session."""
    if turn.floor.state is not FloorState.IDLE:
        return
    if turn.floor.queue:
        turn.announce()  # listeners must learn how the last burst ended, to play its tail
        first, turn_queue = turn.floor.queue[0], turn.floor.queue[1:]
        turn.note(queue=turn_queue)
        grant(turn, turn.member(first.user), first.request_id, first.priority)
        for waiting in turn_queue:
            say_position(turn, waiting.user)
    elif turn.floor.active and turn.rules.hang_s == 0:
        end_session(turn, "last burst ended")


def end_session(turn: Turn, reason: str) -> None:
    """End the session: everybody leaves its channel."""
    heard = turn.floor.heard
    by, of = (heard.by, heard.of) if heard is not None and heard.burst == turn.floor.burst else (None, None)
    turn.event(EventType.SESSION_ENDED, reason=reason, heard_by=by, heard_of=of)
    turn.change(active=False, heard_by=by, heard_of=of)
