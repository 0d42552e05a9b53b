"""`ptt-dispatch sessions` and `clean`: what goes on at this moment, and a sweep on request."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from dispatch.cleaning import Swept
from dispatch.live import NotRunning, Stuck, ask, ask_to_clean, live_paths
from dispatch.offices import misspelt
from dispatch.registry_cli.parsing import office_id
from dispatch.settings import DispatchSettings
from dispatch.show import ZoneOf, moment, printable
from dispatch.store.reader import Snapshot, StoreReader
from dispatch.upkeep_words import say
from dispatch.words import duration
from protocol.messages import EventType
from service.settings import load

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
BUSY_FOR_S, BUSY_AGAIN_S = 3.0, 0.05
"""A service that is busy is asked again for so long."""


def add(command: Command) -> None:
    """Add both commands to the command line."""
    made = command("sessions", run_sessions, "show the sessions that are running: members, speaker, elapsed time")
    made.add_argument("--office", type=office_id, metavar="REGION/OFFICE", help="of this office only")
    made.add_argument("--json", action="store_true", help="one JSON object")
    made = command("clean", run_clean, "have the running service remove dead members, floors and sessions")
    made.add_argument("--now", action="store_true", required=True, help="at once, not with the next regular sweep")
    made.add_argument("--json", action="store_true", help="one JSON object")


# --- sessions ---------------------------------------------------------------------------------------------------------


def run_sessions(options: argparse.Namespace) -> int:
    """Print what is running; the store is read, so it is shown even where no service runs."""
    settings = load(options.config, DispatchSettings)
    reader = StoreReader(settings.store.sqlalchemy_url)
    try:
        if misspelt(options.office, settings, reader, options.lang):
            return 2
        offices = (options.office,) if options.office else reader.offices()
        found = [s for s in map(reader.snapshot, offices) if s is not None and s.floor.active]
        speaking = {str(s.office): speaking_since(reader, s) for s in found}
    finally:
        reader.close()
    now_ms = time.time_ns() // 1_000_000
    served = any(_runs(path) for path in live_paths(settings.status_socket_stem))
    if options.json:
        sessions = [session_dict(s, speaking[str(s.office)], now_ms) for s in found]
        print(msgspec.json.encode({"service_running": served, "sessions": sessions}).decode())
        return 0
    if not served:
        print(say("stored_only", options.lang), file=sys.stderr)
    if not found:
        print(say("no_sessions", options.lang))
    for snapshot in found:
        for line in session_lines(snapshot, speaking[str(snapshot.office)], now_ms, options.lang, settings.zone_of):
            print(line)
    return 0


def speaking_since(reader: StoreReader, snapshot: Snapshot) -> int | None:
    """Give when the burst that is going on began, Unix ms; None where nobody speaks or the log does not say."""
    floor = snapshot.floor
    if floor.holder is None:
        return None
    begun = reader.events(snapshot.office, types=[EventType.SPEAKER_CHANGED], limit=1, newest=True)
    return next((event.at for event in begun if event.metadata.get("burst") == floor.burst), None)


def session_lines(snapshot: Snapshot, speaking: int | None, now_ms: int, lang: str, zone_of: ZoneOf) -> Iterable[str]:
    """Give one running session for people; times count to `now_ms`."""
    floor = snapshot.floor
    elapsed = duration(_elapsed_s(floor.started_at, now_ms))
    since = moment(floor.started_at, zone_of(snapshot.office))
    yield say("session", lang, office=snapshot.office, event_id=floor.event_id, elapsed=elapsed, since=since)
    if floor.holder is None:
        yield say("nobody", lang)
    else:
        fields = {
            "name": printable(floor.holder_name or floor.holder),
            "user": floor.holder,
            "burst": floor.burst,
            "priority": floor.priority.value,
        }
        if speaking is None:
            yield say("speaker_stored", lang, **fields)
        else:
            yield say("speaker", lang, spoken=duration(_elapsed_s(speaking, now_ms)), **fields)
    if floor.queue:
        yield say("waiting", lang, users=", ".join(waiting.user for waiting in floor.queue))
    present = [member for member in snapshot.members if member.present]
    joined = [member for member in present if member.in_channel == floor.event_id]
    yield say("joined", lang, joined=len(joined), present=len(present))
    for member in joined:
        yield f"    {member.user:<32} {printable(member.name or '')}".rstrip()


def session_dict(snapshot: Snapshot, speaking: int | None, now_ms: int) -> dict[str, Any]:
    """Give one running session for programs; times are Unix ms, durations s."""
    floor = snapshot.floor
    speaker = {
        "user": floor.holder,
        "name": floor.holder_name,
        "burst": floor.burst,
        "priority": floor.priority.value,
        "since": speaking,
        "elapsed_s": None if speaking is None else _elapsed_s(speaking, now_ms),
    }
    return {
        "office": str(snapshot.office),
        "event_id": floor.event_id,
        "channel_name": floor.channel_name,
        "started_at": floor.started_at,
        "elapsed_s": _elapsed_s(floor.started_at, now_ms),
        "speaker": None if floor.holder is None else speaker,
        "queue": [waiting.user for waiting in floor.queue],
        "members": [
            {"user": m.user, "name": m.name, "state": m.state.value, "in_channel": m.in_channel == floor.event_id}
            for m in snapshot.members
            if m.present
        ],
    }


def _elapsed_s(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0.0, (now_ms - since_ms) / 1000)


# --- clean ------------------------------------------------------------------------------------------------------------


def run_clean(options: argparse.Namespace) -> int:
    """Ask every running service; exit status 1 where one did not sweep, or none runs."""
    settings = load(options.config, DispatchSettings)
    answers: list[Swept] = []
    silent: list[str] = []
    for path in live_paths(settings.status_socket_stem):
        deadline = time.monotonic() + BUSY_FOR_S
        try:
            answer = ask_to_clean(path)
            while answer.busy and time.monotonic() < deadline:
                time.sleep(BUSY_AGAIN_S)
                answer = ask_to_clean(path)
        except NotRunning:
            continue  # left behind by a process that was killed
        except Stuck as error:
            silent.append(str(error))
            continue
        answers.append(answer)
    done = bool(answers) and not silent and not any(answer.refused for answer in answers)
    if options.json:
        print(msgspec.json.encode({"done": done, "services": answers, "stuck": silent}).decode())
        return 0 if done else 1
    for answer in answers:
        for line in swept_lines(answer, options.lang):
            print(line)
    for why in silent or ([] if answers else [say("clean_service", options.lang)]):
        print(f"ptt-dispatch: {why}", file=sys.stderr)
    return 0 if done else 1


def swept_lines(swept: Swept, lang: str) -> Iterable[str]:
    """Give the answer for people."""
    if swept.refused:
        yield say("clean_refused", lang, replica=swept.replica, why=swept.refused)
    if swept.cleaned:
        yield say("clean_some", lang, replica=swept.replica, offices=swept.offices, count=len(swept.cleaned))
    elif not swept.refused:
        yield say("clean_none", lang, replica=swept.replica, offices=swept.offices)
    for each in swept.cleaned:
        who = "" if each.user is None else f": {printable(each.name or each.user)} ({each.user})"
        yield f"  {each.office}  {say(each.what, lang)}{who}"
    if swept.not_served:
        yield say("clean_not_served", lang, offices=", ".join(swept.not_served))


def _runs(path: Path) -> bool:
    try:
        ask(path)
    except (NotRunning, Stuck):
        return False
    return True
