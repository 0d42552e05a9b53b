"""`ptt-dispatch office replay` and `ptt-dispatch bursts list | delete`: what is kept of what was said, and its end."""

import contextlib
import json
from collections.abc import Iterator

from dispatch.bursts.store import BurstStore, bursts_file
from dispatch.registry.texts import Refused
from dispatch.registry_cli.desk import Desk
from dispatch.registry_cli.show import table
from dispatch.show import moment
from protocol.ids import OfficeId


def office_replay(desk: Desk) -> int:
    """Say whether, and for how long, what is said in an office is kept."""
    options = desk.options
    office: OfficeId = options.of
    if options.off and options.keep is not None:
        raise Refused("off and --keep contradict each other -> give one")
    if not options.off and options.keep is None:
        raise Refused("for how long? -> give --keep SECONDS, or off")
    made = desk.registry.keep_bursts(office, 0 if options.off else options.keep, options.count)
    if made.replay_keep_s:
        desk.say("replay_on", office=office, keep_s=made.replay_keep_s, count=made.replay_keep_count)
        return 0
    with _bursts(desk) as bursts:
        count = 0 if bursts is None else bursts.delete(office)
    desk.say("replay_off", office=office, count=count)
    return 0


def list_bursts(desk: Desk) -> int:
    """List what is kept, without what was said."""
    with _bursts(desk) as bursts:
        found = () if bursts is None else bursts.listed(desk.options.office, limit=1_000_000)
    if desk.options.json:
        rows: list[dict[str, object]] = [
            {"region": one.office.region, "office": one.office.office, "burst": one.burst, "user": one.user}
            | {"name": one.name, "at": one.at, "seconds": one.seconds, "bytes": one.size}
            for one in found
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    if not found:
        desk.say("no_bursts")
        return 0
    zone_of = desk.settings.zone_of
    lines = [
        (
            str(one.office),
            str(one.burst),
            moment(one.at, zone_of(one.office)),
            f"{one.seconds:.1f} s",
            one.user,
            one.name,
        )
        for one in found
    ]
    for line in table(lines):
        print(line)
    return 0


def delete(desk: Desk) -> int:
    """Delete a user's bursts, or all."""
    options = desk.options
    with _bursts(desk) as bursts:
        if bursts is None:
            count = 0
        elif options.all:
            count = bursts.delete(options.office)
        else:
            given, user = options.user
            count = bursts.delete(given or options.office, user)
    desk.say("bursts_deleted", count=count)
    return 0


def delete_of(desk: Desk, office: OfficeId, user: str) -> int:
    """Delete what is kept of a user; gives how many bursts that were."""
    with _bursts(desk) as bursts:
        return 0 if bursts is None else bursts.delete(office, user)


@contextlib.contextmanager
def _bursts(desk: Desk) -> Iterator[BurstStore | None]:
    """Open what is kept; None where there is nothing: a file made here would not be the service's."""
    url = desk.settings.store.sqlalchemy_url
    path = bursts_file(url)
    if path is not None and not path.exists():
        yield None
        return
    store = BurstStore(url)
    try:
        yield store
    finally:
        store.close()
