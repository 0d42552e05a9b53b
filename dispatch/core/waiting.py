"""Those who wait for the floor: in the order of priority, then of asking, each told where it stands."""

from dispatch.core.state import Answer, Member, Queued
from dispatch.core.turn import Turn
from protocol.ids import RequestId
from protocol.messages import FloorQueued, Priority


def enqueue(turn: Turn, member: Member, request_id: RequestId, priority: Priority) -> None:
    """Put a request behind those of its priority and above; whoever moved is told its position."""
    entry = Queued(user=member.user, request_id=request_id, priority=priority)
    ahead = sum(1 for q in turn.floor.queue if q.priority.rank >= priority.rank)
    queue = (*turn.floor.queue[:ahead], entry, *turn.floor.queue[ahead:])
    turn.put_member(member, request_id=request_id, answer=Answer.QUEUED)
    turn.note(queue=queue)
    for waiting in queue[ahead:]:
        say_position(turn, waiting.user)


def say_position(turn: Turn, user: str) -> None:
    """Tell a waiting member its position, from 1."""
    for position, waiting in enumerate(turn.floor.queue, 1):
        if waiting.user == user:
            turn.reply(user, FloorQueued(rev=turn.floor.rev, request_id=waiting.request_id, position=position))


def drop_from_queue(turn: Turn, user: str) -> None:
    """Let a member wait no more; what becomes of its request is the caller's."""
    left = tuple(q for q in turn.floor.queue if q.user != user)
    if left != turn.floor.queue:
        turn.note(queue=left)
