"""What a monitor may ask of a device, and what goes with it. None of these can key a vehicle (docs/protocol.md).

A command travels as `messages.Command`: its `op` is a word, so that a device can refuse one it does not know by name.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

COMMAND_EXPIRY_S = 30
"""A command that could not be delivered for so long is thrown away by the broker."""
COMMANDS_PER_S_MAX = 5
"""More commands a second than this are refused by the device."""


class CommandOp(StrEnum):
    """What can be asked of a device."""

    IDENTIFY = "identify"
    LEVELS = "levels"
    RESTART = "restart"
    MUTE_TRANSMITTER = "mute_transmitter"
    UNMUTE_TRANSMITTER = "unmute_transmitter"
    CLEAR_EMERGENCY = "clear_emergency"
    TELEMETRY = "telemetry"
    SELF_CHECK = "self_check"


Db = Annotated[float, Meta(ge=-20, le=20)]


class NoParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing goes with the command."""


class LevelsParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gains in dB; what is left out stays as it is."""

    mic_db: Annotated[Db | None, Meta(description="gain of the microphone, -20 to 20 dB")] = None
    speaker_db: Annotated[Db | None, Meta(description="gain of the speaker, -20 to 20 dB")] = None

    def __post_init__(self) -> None:
        """Refuse a command that would change nothing."""
        if self.mic_db is None and self.speaker_db is None:
            raise ValueError("mic_db or speaker_db is needed")


Params = NoParams | LevelsParams

PARAMS: dict[CommandOp, type[NoParams] | type[LevelsParams]] = {
    op: LevelsParams if op is CommandOp.LEVELS else NoParams for op in CommandOp
}
"""What goes with each command."""


class BadCommand(ValueError):
    """A command that this version does not know, or whose parameters make no sense; the text is for its sender."""


def read(op: str, params: dict[str, Any]) -> tuple[CommandOp, Params]:
    """Give what is asked, typed; raises BadCommand saying what is wrong and what would be right."""
    try:
        known = CommandOp(op)
    except ValueError:
        raise BadCommand(f"unknown op {op!r}: one of {', '.join(CommandOp)}") from None
    try:
        return known, msgspec.convert(params, PARAMS[known])
    except msgspec.ValidationError as error:
        raise BadCommand(f"params of {known}: {error}") from None
