"""The table of commands for docs/protocol.md, out of `protocol.commands`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lab.docs.markdown import table
from protocol.commands import PARAMS, CommandOp

_DOES: Final[dict[CommandOp, tuple[str, str]]] = {
    CommandOp.IDENTIFY: ("light, buzzer, motor and a sentence show the unit for 5 s", "refused while its driver talks"),
    CommandOp.LEVELS: (
        "sets the gains of microphone and speaker, kept over restarts",
        "`data` has both as they are now",
    ),
    CommandOp.RESTART: (
        "the daemon releases, says good-bye and is started anew",
        "answered before it does; refused while the driver talks or asks to",
    ),
    CommandOp.MUTE_TRANSMITTER: (
        "the unit only listens, over restarts, until it is unmuted; an open talk ends at once",
        "not done in an emergency's favour either; answered when it is on the disk",
    ),
    CommandOp.UNMUTE_TRANSMITTER: ("it may speak again, at the next press", "answered when it is on the disk"),
    CommandOp.CLEAR_EMERGENCY: ("the office has taken up the unit's emergency: its alert is cleared", ""),
    CommandOp.TELEMETRY: ("measures and publishes `telemetry` at once", "the answer does not wait for it"),
    CommandOp.SELF_CHECK: ("looks at voice worker, devices, link and alerts", "`data` has what was found"),
}


def commands() -> str:
    """Every op with its parameters."""
    rows = []
    for op in CommandOp:
        schema = msgspec.json.schema(PARAMS[op])
        fields: dict[str, Any] = schema["$defs"][PARAMS[op].__name__].get("properties", {})
        params = "; ".join(f"`{name}`: {field.get('description', '')}" for name, field in fields.items()) or "none"
        rows.append((f"`{op.value}`", params, *_DOES[op]))
    return table(("`op`", "`params`", "what happens", "notes"), rows)
