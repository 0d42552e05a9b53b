"""What the probe is told in dispatch.toml, `[probe]`."""

from typing import Annotated

from msgspec import Meta, Struct

from service.settings import Fault, Invalid


class ProbeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The availability probe of `ptt-dispatch alerts`; it presses where its secret is there. Raises Invalid."""

    every_s: Annotated[float, Meta(ge=1, le=60, description="a press so often, s; availability counts minutes")] = 60.0
    answer_s: Annotated[
        float, Meta(ge=0.1, le=30, description="a press that is not granted within this counts as down, s")
    ] = 2.0
    failures: Annotated[
        int, Meta(ge=1, le=1000, description="so many presses in a row without an answer raise the alert `unanswered`")
    ] = 3
    keep_days: Annotated[int, Meta(ge=1, le=36_500, description="how long what came of a press is kept, days")] = 400

    def __post_init__(self) -> None:
        """Check that a press is over before the next."""
        if self.answer_s >= self.every_s:
            what = f"is {self.answer_s:g}, every_s {self.every_s:g}: the next press would come first"
            raise Invalid(Fault("answer_s", what, "give less than every_s"))
