"""Steps of an office that each commit for themselves, carried out as far as the store lets them."""

from collections.abc import Callable, Iterable

from dispatch.core.turn import Publish
from dispatch.ports import StoreUnavailable

Step = Callable[[], tuple[Publish, ...]]


def as_far_as_possible(steps: Iterable[Step]) -> tuple[Publish, ...]:
    """Run one step after the other; what earlier ones committed is given although the store then goes away.

    Raises StoreUnavailable where already the first step with an effect meets it: nothing is lost by that.
    """
    out: tuple[Publish, ...] = ()
    for step in steps:
        try:
            out += step()
        except StoreUnavailable:
            if not out:
                raise
            break
    return out
