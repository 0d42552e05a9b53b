"""Opening an office: whose store it is, and an epoch above all that was ever announced."""

from dispatch.core.turn import Turn
from protocol.ids import EPOCH_MAX, epoch_of, ordered_number
from protocol.messages import Session


class Refused(Exception):
    """This store must not serve the office; says why and how to mend it."""


class ForeignStore(Refused):
    """The office's retained session was issued by another store than the one at hand."""

    def __init__(self, own: str, retained: str) -> None:
        """`own` and `retained` are the stores' identities."""
        super().__init__(
            f"the broker's retained session was issued by store {retained}, this one is {own}: point [store] at the "
            f"right database, or start once with --adopt to let this store take the office over"
        )


class EpochsSpent(Refused):
    """The retained session's numbers leave no room above them: nothing but a forged message gets there."""

    def __init__(self) -> None:
        super().__init__(
            "the broker's retained session has a rev or burst at the end of its range: find out who may publish it, "
            "clear it (an empty retained message on that topic), then restart this service and the office's members"
        )


def open_office(turn: Turn, retained: Session | None, adopt: bool) -> None:
    """Raise epoch above the store's own and the retained session's, so that bursts and revs only rise.

    Raises ForeignStore unless the retained session is this store's, there is none, or `adopt`; EpochsSpent.
    """
    if retained is not None and retained.store != turn.floor.store and not adopt:
        raise ForeignStore(turn.floor.store, retained.store)
    epochs = [turn.floor.epoch, epoch_of(turn.floor.rev), epoch_of(turn.floor.burst)]
    if retained is not None:
        epochs += [epoch_of(retained.rev), epoch_of(retained.burst)]
    epoch = max(epochs) + 1
    if epoch > EPOCH_MAX:
        raise EpochsSpent
    turn.note(epoch=epoch, rev=ordered_number(epoch, 0))
