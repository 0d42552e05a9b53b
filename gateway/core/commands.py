"""The door for what monitors ask of this vehicle: each command is done once, answered always, and none can key it."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gateway.core.context import Context
from protocol.commands import COMMAND_EXPIRY_S, COMMANDS_PER_S_MAX, BadCommand, CommandOp, Params, read
from protocol.messages import Command, CommandReply
from protocol.topics import Kind

REMEMBERED_MAX = 64
"""So many of the last commands are known again by their ids."""


class Done(Struct, frozen=True, kw_only=True):
    """What became of a command."""

    ok: bool = True
    what: str
    data: dict[str, Any] = {}


class Asked(Struct, frozen=True, kw_only=True):
    """A command that makes sense."""

    op: CommandOp
    params: Params
    by: str
    answer: Callable[[Done], None]
    """To be called once, now or when it is done."""


class Commands:
    """Hands what is new and sensible to `do`; refuses the rest and says why."""

    def __init__(self, ctx: Context, do: Callable[[Asked, float], None]) -> None:
        """Nothing was asked yet. `do(asked, now)`."""
        self._ctx = ctx
        self._do = do
        self._known: OrderedDict[str, CommandReply | None] = OrderedDict()
        self._times: deque[float] = deque(maxlen=COMMANDS_PER_S_MAX)
        self._flood_told_at = float("-inf")

    def take(self, command: Command, now: float, *, retained: bool) -> None:
        """Take one from the broker; `retained`: nobody sent it just now."""
        if retained:
            self._refuse(command, "a command must not be retained: it could be done again long after; clear the topic")
        elif command.id in self._known:
            reply = self._known[command.id]
            if reply is not None:  # else its answer is still to come
                self._publish(reply)
        elif len(self._times) == COMMANDS_PER_S_MAX and now - self._times[0] < 1.0:
            self._flooded(command, now)
        else:
            self._times.append(now)
            self._new(command, now)

    def _new(self, command: Command, now: float) -> None:
        self._known[command.id] = None
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        by = command.by or "somebody"
        self._ctx.note("command", op=command.op, by=by, id=command.id)
        try:
            op, params = read(command.op, command.params)
        except BadCommand as error:
            self._answer(command, Done(ok=False, what=str(error)))
            return
        self._do(Asked(op=op, params=params, by=by, answer=lambda done: self._answer(command, done)), now)

    def _answer(self, command: Command, done: Done) -> None:
        reply = CommandReply(id=command.id, op=command.op, ok=done.ok, what=done.what[:256], data=done.data)
        if command.id in self._known:
            self._known[command.id] = reply
        if not done.ok:
            self._ctx.note("command refused", warning=True, op=command.op, why=reply.what)
        self._publish(reply)

    def _refuse(self, command: Command, why: str) -> None:
        self._ctx.note("command refused", warning=True, op=command.op, why=why)
        self._publish(CommandReply(id=command.id, op=command.op, ok=False, what=why))

    def _flooded(self, command: Command, now: float) -> None:
        """A flood of commands is answered once a second: answering all of it would be one, too."""
        if now - self._flood_told_at >= 1.0:
            self._flood_told_at = now
            self._refuse(command, f"more than {COMMANDS_PER_S_MAX} commands within a second: try again")

    def _publish(self, reply: CommandReply) -> None:
        self._ctx.publish(Kind.COMMAND_REPLY, reply, expiry_s=COMMAND_EXPIRY_S)
