"""Tables of the wire: topics, causes, timers, events, the voice frame."""

import ast
import inspect
import re
from pathlib import Path

import protocol.burst_file
import protocol.timers
import protocol.voice_frame
from lab.docs.examples import FRAME
from lab.docs.markdown import code, table
from protocol.codec import CARRIES
from protocol.messages import DenyCause, EventType, RevokeCause
from protocol.topics import Kind
from protocol.voice_frame import pack

ROOT = Path(__file__).resolve().parents[2]

_HOW: dict[Kind, tuple[str, str, str, str]] = {
    Kind.SESSION: ("server → all", "1", "yes", "the office's floor as it is; the one source of who may be heard"),
    Kind.FLOOR: ("member → server", "1", "no", "first sending; expires after 2 s"),
    Kind.FLOOR_AGAIN: ("member → server", "1", "no", "every retransmission of what was sent on `floor/<user>`"),
    Kind.REPLY: ("server → member", "1", "no", "answers; expire after 2 s"),
    Kind.PRESENCE: ("member, its last will, or the server → all", "1", "yes", "what a member is"),
    Kind.ROSTER: ("server → monitors", "1", "yes", "all members at once, at most once a second, up to 256 KiB"),
    Kind.HEARTBEAT: ("member → server", "1", "no", "sign of life, every 60 s; what was played of each burst"),
    Kind.EVENTS: ("server → monitors", "1", "no", "the office's log, numbered; each at least once"),
    Kind.VOICE: ("speaker → members", "0", "no", "binary voice frames; subscribe with no-local"),
    Kind.DEVICE_STATE: ("member → monitors", "1", "yes", "what a device is doing, at most once a second"),
    Kind.DEVICE_INFO: ("member → monitors", "1", "yes", "what a device is, once per connection"),
    Kind.ALERT: ("member or server → monitors", "1", "yes", "something is wrong; cleared by an empty payload"),
    Kind.DEVICE_TELEMETRY: ("member → monitors", "1", "yes", "how a device is, every minute and on what matters"),
    Kind.DEVICE_TRACE: ("member → server, monitors", "1", "no", "one press from the button's edge, once it is over"),
    Kind.COMMAND: ("technician or manager → member", "1", "no", "what a device is to do; expires after 30 s"),
    Kind.COMMAND_REPLY: ("member → monitors", "1", "no", "answers a command"),
}

_DENY = {
    DenyCause.ANOTHER_HAS_PERMISSION: (1, "Another MCPTT client has permission", "the floor is taken"),
    DenyCause.INTERNAL_ERROR: (2, "Internal floor control server error", "the store is away; `rev` is then 0"),
    DenyCause.ONLY_PARTICIPANT: (3, "Only one participant", "never sent by this server"),
    DenyCause.RETRY_AFTER: (4, "Retry-after timer has not expired", "never sent by this server"),
    DenyCause.RECEIVE_ONLY: (5, "Receive only", "the office's rules let this member only listen"),
    DenyCause.NO_RESOURCES: (6, "No resources available", "the office has as many members as it can"),
    DenyCause.QUEUE_FULL: (7, "Queue full", "the office queues requests, and as many wait as may"),
    DenyCause.NOT_ADMITTED: (255, "Other reason", "not of this office, revoked, or another unit than the enrolled one"),
    DenyCause.OTHER: (255, "Other reason", "never sent by this server"),
}
_REVOKE = {
    RevokeCause.ONLY_ONE_CLIENT: (1, "Only one MCPTT client", "never sent by this server"),
    RevokeCause.BURST_TOO_LONG: (2, "Media burst too long", "the talk-time limit is over"),
    RevokeCause.NO_PERMISSION: (3, "No permission to send a media burst", "a renewal of a burst that is not yours"),
    RevokeCause.PREEMPTED: (4, "Media burst pre-empted", "a request of higher priority was granted"),
    RevokeCause.NO_RESOURCES: (6, "No resources available", "never sent by this server"),
    RevokeCause.OTHER: (255, "Other reason", "never sent by this server"),
}

_EVENTS: dict[EventType, tuple[str, dict[str, str]]] = {
    EventType.SESSION_STARTED: (
        "first grant of a session; `user` opened it",
        {"channel_name": "the voice channel to join"},
    ),
    EventType.SESSION_ENDED: (
        "the session is over",
        {
            "reason": '"hang time over", "last burst ended" (no hang time) or "cleaned"',
            "heard_by": "how many heard its last burst; null where that is not counted yet",
            "heard_of": "of how many",
        },
    ),
    EventType.USER_JOINED: ("a member joined the session's channel", {"voice": "what it hears there: mqtt or agora"}),
    EventType.USER_LEFT: (
        "a member left the session's channel",
        {"reason": '"left", or its presence\'s reason or state where it is gone'},
    ),
    EventType.SPEAKER_CHANGED: (
        "a burst began; `user` speaks",
        {"burst": "its number", "priority": "granted priority", "request_id": "the press that was granted"},
    ),
    EventType.HEARTBEAT_LOST: (
        "a sign of life is missing",
        {
            "of": '"floor": renewals of a burst stopped; "member": heartbeats stopped',
            "burst": "of the floor: the burst that was freed",
            "reason": "of a member: why it was given up",
        },
    ),
    EventType.BURST_ENDED: (
        "a burst ended; `user` spoke it",
        {
            "burst": "its number",
            "ended": "as in `session`",
            "last_seq": "number of its last frame, or null",
            "unrenewed_ms": "time since it was last renewed, or granted, by the server's wall clock",
        },
    ),
    EventType.BURST_HEARD: (
        "it is counted who heard a burst; `user` spoke it",
        {
            "burst": "its number",
            "heard_by": "how many played at least half of it",
            "heard_of": "of how many who were in the channel when it ended, or played it",
            "missing": "ids of those who did not, 20 at most",
        },
    ),
    EventType.CLEANED: (
        "the sweep removed what should have been gone",
        {"reason": '"stale_floor" or "stale_session"', "burst": "of a stale floor"},
    ),
    EventType.ENROLLED: (
        "a unit was enrolled as `user`",
        {"generation": "rises with every enrolment", "hardware": "the unit", "replaced": "the unit before it, or null"},
    ),
    EventType.ENROL_REFUSED: (
        "somebody tried to enrol and was refused",
        {"reason": "why; `user` only where the code was known", "count": "how many since the last such event"},
    ),
    EventType.USER_REVOKED: ("every door was shut to `user`", {"reason": "what the operator said"}),
    EventType.CLONE_FOUND: ("another unit came with the identity of `user`", {"hardware": "that unit"}),
    EventType.CLONE_CURED: ("the identity of `user` is one unit's again", {"hardware": "the unit that was refused"}),
    EventType.VOICE_CHANGED: (
        "a member hears the session over another way than before",
        {"voice": "mqtt or agora"},
    ),
    EventType.EMERGENCY: (
        "`user` raised an emergency",
        {
            "by": '"request": it asked for the floor with that priority, once per request; "alert": its alert came '
            "and no request had, as where the link was down",
            "allowed": "false: it may only listen, or its office allows no emergencies; null by an alert",
        },
    ),
    EventType.EMERGENCY_CLEARED: ("the emergency alert of `user` was cleared", {}),
    EventType.DENIED: (
        "a press of `user` was denied; once, however often it is told",
        {"cause": "as in `floor_deny`", "speaker": "who held the floor, or null", "request_id": "the press"},
    ),
    EventType.REVOKED: (
        "the floor was taken from `user`",
        {"burst": "the burst", "cause": "as in `floor_revoke`"},
    ),
    EventType.LINK_LOST: (
        "`user` is gone without having said so: its last will came, or it fell silent",
        {"reason": "as in its presence"},
    ),
    EventType.LINK_BACK: ("`user`, whose link was lost, is there again", {}),
    EventType.ALERT_RAISED: (
        "an alert of the device of `user` came; `clone` and `emergency` have events of their own",
        {"alert": "its id", "severity": "warning or critical", "what": "what is wrong"},
    ),
    EventType.ALERT_CLEARED: (
        "it was cleared",
        {"alert": "its id", "by": '"device", or "broker": the broker had it no more when the server came back'},
    ),
}


def topics() -> str:
    """Every topic, from `protocol.topics` and `protocol.codec.CARRIES`."""
    rows = []
    for kind in Kind:
        who, qos, retained, note = _HOW[kind]
        tail = kind.value.replace("{}", "<user>", 1).replace("{}", "<id>", 1)
        carries = ", ".join(f"`{tag}`" for tag in sorted(CARRIES[kind])) or "binary, see Voice"
        rows.append((f"`{tail}`", who, qos, retained, carries, note))
    return table(("topic", "from → to", "QoS", "retained", "carries", "notes"), rows)


def causes() -> str:
    """Causes of deny and revoke with the standard's numbers."""
    head = ("`cause`", "TS 24.380", "name there", "sent when")
    deny = [(f"`{c.value}`", str(_DENY[c][0]), *_DENY[c][1:]) for c in DenyCause]
    revoke = [(f"`{c.value}`", str(_REVOKE[c][0]), *_REVOKE[c][1:]) for c in RevokeCause]
    return f"Floor Deny (8.2.6.2):\n\n{table(head, deny)}\nFloor Revoke (8.2.10.2):\n\n{table(head, revoke)}"


def timers() -> str:
    """Every duration of `protocol/timers.py` with its docstring."""
    body = ast.parse(inspect.getsource(protocol.timers)).body
    rows = []
    for place, node in enumerate(body):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        following = body[place + 1] if place + 1 < len(body) else None
        said = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            said = " ".join(str(following.value.value).split())
        if not said:
            raise ValueError(f"protocol.timers.{name} says nothing of itself")
        standard = re.match(r"([TC]\d+)(?:, ([^:]*))?: (.*)", said)
        number, meaning = (standard[1], standard[3]) if standard else ("", said)
        if standard and standard[2]:
            number += f" ({standard[2]})"
        value = getattr(protocol.timers, name)
        rows.append((f"`{name}`", f"{value:g}" + (" s" if name.endswith("_S") else ""), number, meaning))
    return table(("name", "value", "TS 24.380", "what it is"), rows)


def events() -> str:
    """Types of events with the metadata that the code gives them; raises KeyError for one that is not described."""
    given = emitted()
    rows = []
    for kind in EventType:
        what, meanings = _EVENTS[kind]
        if given[kind] != set(meanings):
            raise KeyError(f"{kind}: the code gives {sorted(given[kind])}, described are {sorted(meanings)}")
        metadata = "; ".join(f"`{name}`: {text}" for name, text in meanings.items()) or "none"
        rows.append((f"`{kind.value}`", what, metadata))
    return table(("event", "when", "metadata"), rows)


def emitted() -> dict[EventType, set[str]]:
    """Give the metadata of each event type as dispatch/core passes it to `Turn.event`."""
    found: dict[EventType, set[str]] = {kind: set() for kind in EventType}
    for path in sorted((ROOT / "dispatch/core").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event"):
                continue
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Attribute) and ast.unparse(first.value) == "EventType":
                named = {word.arg for word in node.keywords if word.arg is not None}
                found[EventType[first.attr]] |= named - {"event_id"}
    return found


def voice() -> str:
    """The voice frame's table out of its module, and an example in hex."""
    text = inspect.getdoc(protocol.voice_frame) or ""
    rows = text[text.index("| bytes") :]
    data = pack(FRAME)
    example = " ".join(f"{byte:02x}" for byte in data)
    meaning = (
        f"burst {FRAME.burst}, seq {FRAME.seq}, {FRAME.capture_ms} ms after the first sample, LAST, "
        f"{len(FRAME.payload)} bytes of Opus:"
    )
    return f"{rows}\n\nExample, {meaning}\n\n{code(example, 'hex')}"


def burst_file() -> str:
    """The burst file's table out of its module."""
    text = inspect.getdoc(protocol.burst_file) or ""
    return text[text.index("| bytes") :]
