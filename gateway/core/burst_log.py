"""What the voice worker says of bursts, as lines of the log."""

from gateway.core.context import Context
from protocol.worker import Heard, PlayedOut


def heard(ctx: Context, said: Heard) -> None:
    """The first sample of a burst was heard."""
    ctx.note("burst heard", burst=said.burst, speaker=said.user, at_s=f"{said.at:.4f}")


def played(ctx: Context, said: PlayedOut) -> None:
    """A burst was played to its end."""
    ctx.note(
        "burst played",
        burst=said.burst,
        speaker=said.user,
        frames=said.frames,
        concealed=said.concealed,
        late=said.late,
        silent=said.silent,
        delay_ms=said.delay_ms,
    )
