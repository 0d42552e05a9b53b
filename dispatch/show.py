"""What `ptt-dispatch status` and `events` print: pure functions from what was read to lines."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from dispatch.admission import LiveAdmission
from dispatch.live import Live
from dispatch.store.reader import Snapshot
from dispatch.words import duration, say
from protocol.ids import OfficeId
from protocol.messages import Event

FORMULAS = tuple("=+-@\t\r\n＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula; some read the wide forms of East Asian keyboards too."""
PARTED = re.compile(f"([;|\t\r\n])(?=[{re.escape(''.join(FORMULAS))}])")
CSV_HEAD = ("office", "no", "at", "event", "event_id", "user", "name", "metadata")


ZoneOf: TypeAlias = Callable[[OfficeId], tzinfo]
"""In whose time an office's moments are told: DispatchSettings.zone_of, everywhere."""


class Status(Struct, frozen=True, kw_only=True):
    """Everything `status` found out. `stuck`: why a service does not answer."""

    configured: tuple[OfficeId, ...]
    live: tuple[Live, ...]
    stuck: tuple[str, ...]
    where: str
    store_id: str | None
    store_error: str | None
    snapshots: tuple[Snapshot, ...]
    registry: bool = False
    """Which offices there are is the registry's to say, not the configuration's."""

    @property
    def well(self) -> bool:
        """Whether a service runs and can give the floor of every office."""
        served = all(
            one.broker_connected
            and one.store_error is None
            and all(o.refused is None for o in one.offices)
            and (one.admission is None or not (one.admission.error or one.admission.broker_fault))
            for one in self.live
        )
        return bool(self.live) and served and not self.stuck and self.store_error is None


def status_lines(status: Status, lang: str, zone_of: ZoneOf) -> Iterable[str]:
    """Give the status for people, whole."""
    if not status.live and not status.stuck:
        yield say("not_running", lang)
    for why in status.stuck:
        yield say("stuck", lang, why=why)
    for one in status.live:
        yield say("running", lang, replica=one.replica, up=duration(one.up_s), pid=one.pid)
        key = "broker_up" if one.broker_connected else "broker_down"
        yield "  " + say(key, lang, broker=one.broker, why=one.broker_reason)
        if one.store_error is not None:
            yield "  " + say("store_error", lang, why=one.store_error)
        counts = ", ".join(f"{printable(why)} {count}" for why, count in sorted(one.dropped.items()) if count)
        if counts:
            yield "  " + say("dropped", lang, counts=counts)
        yield from (f"  {line}" for line in _admission_lines(one.admission, lang))
    if status.store_error is not None:
        yield say("store_error", lang, why=status.store_error)
    else:
        yield say("store_ok", lang, where=status.where, store=status.store_id)
    found = {snapshot.office: snapshot for snapshot in status.snapshots}
    for office in sorted({*status.configured, *found}):
        yield ""
        yield str(office)
        if office not in status.configured and not status.registry:
            yield say("not_configured", lang)
        for why in (o.refused for one in status.live for o in one.offices if o.office == str(office) and o.refused):
            yield say("refused", lang, why=why)
        if office in found:
            yield from _office_lines(found[office], lang, zone_of(office))
        elif status.store_error is None:
            yield say("never", lang)


def _admission_lines(admission: LiveAdmission | None, lang: str) -> Iterable[str]:
    if admission is None:
        yield say("admission_open", lang)
        return
    yield say("admission", lang, admitted=admission.admitted, revoked=admission.revoked, rev=admission.rev)
    if admission.error:
        yield say("registry_error", lang, why=admission.error)
    if admission.broker_fault:
        yield say("broker_fault", lang, why=admission.broker_fault)
    if admission.broker_missing:
        yield say("broker_missing", lang, logins=", ".join(admission.broker_missing))
    if admission.broker_unknown:
        yield say("broker_unknown", lang, logins=", ".join(map(printable, admission.broker_unknown)))
    if admission.clones:
        yield say("clones", lang, users=", ".join(admission.clones))
    if admission.kicks and admission.kicking:
        yield say("kicks", lang, count=admission.kicks, why=printable(admission.kick_error) or "-")
    elif admission.token_ttl_s and not admission.kicking:
        yield say("no_kicking", lang, ttl=admission.token_ttl_s)


def _office_lines(snapshot: Snapshot, lang: str, where: tzinfo) -> Iterable[str]:
    floor = snapshot.floor
    key = "session_active" if floor.active else "session_idle"
    yield say(key, lang, since=moment(floor.started_at, where))
    if floor.holder is not None:
        name = printable(floor.holder_name or floor.holder)
        yield say("holder", lang, name=name, user=floor.holder, burst=floor.burst, priority=floor.priority.value)
    else:
        yield say("idle", lang, burst=floor.burst, ended=floor.ended.value if floor.ended else "-")
    if floor.queue:
        yield say("queue", lang, users=", ".join(q.user for q in floor.queue))
    present = sum(m.present for m in snapshot.members)
    yield say("members", lang, present=present, known=len(snapshot.members))
    for member in snapshot.members:
        joined = member.in_channel is not None and floor.active and member.in_channel == floor.event_id
        notes = [
            printable(member.name or ""),
            say("in_channel", lang) if joined else "",
            printable(member.reason or ""),
        ]
        yield f"    {member.user:<32} {member.state.value:<9}{'  '.join(note for note in notes if note)}".rstrip()
    yield say("events", lang, last=floor.event_no, unpublished=snapshot.unpublished)


def status_json(status: Status) -> str:
    """Give the status as one JSON object."""
    built: dict[str, Any] = {
        "well": status.well,
        "services": status.live,
        "stuck": status.stuck,
        "store": {"where": status.where, "id": status.store_id, "error": status.store_error},
        "offices": [
            {
                "office": str(s.office),
                "floor": s.floor,
                "members": s.members,
                "unpublished_events": s.unpublished,
            }
            for s in status.snapshots
        ],
    }
    return msgspec.json.encode(built).decode()


def event_line(office: OfficeId, event: Event, *, with_office: bool, where: tzinfo | None = None) -> str:
    """Give one event for people, on one line whatever its fields hold, in the time of `where` (None: here)."""
    who = event.user or "-"
    if event.name and event.name != event.user:
        who += f" ({event.name})"
    meta = " ".join(f"{key}={_value(value)}" for key, value in event.metadata.items() if value is not None)
    start = f"{office} " if with_office else ""
    at = moment(event.at, where)
    return printable(f"{start}{event.no:>7}  {at}  {event.event.value:<16} {who:<24} {meta}".rstrip())


def event_json(office: OfficeId, event: Event) -> str:
    """Give one event as JSON, with its office."""
    return msgspec.json.encode({"office": str(office), **msgspec.to_builtins(event)}).decode()


def event_csv(office: OfficeId, event: Event) -> str:
    """Give one event as a line of CSV (RFC 4180), its columns those of CSV_HEAD."""
    row = (
        str(office),
        event.no,
        event.at,
        event.event.value,
        event.event_id or "",
        event.user or "",
        event.name or "",
        msgspec.json.encode(event.metadata).decode(),
    )
    return csv_line(row)


def csv_line(row: Sequence[object]) -> str:
    """Give one line of CSV without its end; what a spreadsheet would run as a formula is made text.

    So it is behind whatever some countries' spreadsheets part cells at, instead of the comma.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([_text(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def _text(cell: str) -> str:
    begun = f"'{cell}" if cell.startswith(FORMULAS) else cell
    return PARTED.sub(r"\1'", begun)


def moment(unix_ms: int | None, where: tzinfo | None = None) -> str:
    """Give the time there (None: by the machine's own zone), `2026-01-31 08:15:00.123`."""
    if unix_ms is None:
        return "-"
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone(where).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        return f"{unix_ms} ms"


def _value(value: object) -> str:
    return value if isinstance(value, str) and " " not in value else msgspec.json.encode(value).decode()


def printable(text: str) -> str:
    """Give text without control characters: a member's name must not drive somebody's terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
