"""`ptt-dispatch device add | code | rotate | list | rename | cured | clear-alerts`."""

import json
import sys

from dispatch import pki, qr
from dispatch.broker import left
from dispatch.probing.place import PROBE_OFFICE
from dispatch.registry.codes import ENROLLED_ROLES
from dispatch.registry.port import NotThere
from dispatch.registry.secrets import code_digest, new_code_entropy
from dispatch.registry.texts import Refused, role_name
from dispatch.registry.words import Code, User
from dispatch.registry_cli import people
from dispatch.registry_cli.desk import Desk
from dispatch.registry_cli.show import device_table, open_codes, user_dict
from dispatch.show import moment
from protocol.enrol_code import new_code


def add(desk: Desk) -> int:
    """Add a unit; it gets its secret when it is enrolled."""
    office, name = desk.where()
    user = desk.registry.add_user(office, name, desk.options.role, desk.options.name)
    role = role_name(user.role, desk.options.lang)
    desk.say("user_added", user=user.user, name=user.name, role=role, office=user.office)
    desk.say("user_unit", user=user.user)
    return 0


def rename(desk: Desk) -> int:
    """Change a unit's name; raises Refused for a user that is none."""
    user = desk.user()
    if user.role not in ENROLLED_ROLES:
        raise Refused(f"{user.user} ({user.role}) is no unit -> ptt-dispatch user rename {user.user} NAME")
    return people.user_rename(desk)


def code(desk: Desk) -> int:
    """Make a code and show it, in letters and as QR."""
    options, rest = desk.options, desk.settings.rest
    if rest is None:
        raise Refused(f"{options.config}: there is no [rest], so no unit can be enrolled -> run ptt-dispatch init")
    authority = pki.ca_der(rest.ca)
    user = _unit(desk)
    made = new_code(new_code_entropy(), authority)
    shown = made.text()
    if options.png is not None:
        qr.write_png(options.png, rest.url, shown)
    try:
        kept = desk.registry.add_code(user.office, user.user, code_digest(made.secret), options.valid_h * 3600)
    except BaseException:
        if options.png is not None:
            options.png.unlink(missing_ok=True)
        raise
    if options.json:
        said = {"url": rest.url, "code": shown, "expires_at": kept.expires_at, "region": user.office.region}
        print(
            json.dumps(said | {"office": user.office.office, "user": user.user, "name": user.name}, ensure_ascii=False)
        )
        return 0
    _show(desk, user, kept, rest.url, shown)
    return 0


def _show(desk: Desk, user: User, kept: Code, url: str, shown: str) -> None:
    desk.say("code_for", user=user.user, name=user.name, office=user.office)
    desk.say("code_url", url=url)
    desk.say("code_code", code=shown)
    desk.say("code_until", until=moment(kept.expires_at, desk.settings.zone_of(user.office)))
    if user.admitted:
        desk.say("code_replaces", user=user.user)
    if desk.options.qr and _speaks_unicode():
        print(qr.terminal(url, shown), end="")
    if desk.options.png is not None:
        desk.say("code_png", path=desk.options.png)
    desk.say("code_enrol", url=url)


def _unit(desk: Desk) -> User:
    """The unit's user, added now where that was asked for."""
    options = desk.options
    office, name = desk.where()
    user = desk.registry.user(office, name)
    if user is None and not options.create:
        mend = "add --create --name NAME" if options.do == "device.code" else f"ptt-dispatch device add {name}"
        raise NotThere(f"there is no user {name} in {office} -> {mend}, or see: user list")
    if user is None:
        return desk.registry.add_user(office, name, options.role, options.name or name)
    return user


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def list_units(desk: Desk) -> int:
    """List units with their enrolment and codes."""
    units = [user for user in desk.registry.users(desk.options.office) if user.role in ENROLLED_ROLES]
    units = [user for user in units if desk.options.office is not None or user.office != PROBE_OFFICE]
    codes = open_codes(desk.registry.codes(desk.options.office))
    if desk.options.json:
        rows = []
        for unit in units:
            waiting = codes.get((unit.office, unit.user))
            rows.append(user_dict(unit) | {"code_expires_at": None if waiting is None else waiting.expires_at})
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for line in device_table(units, codes, desk.options.lang, desk.settings.zone_of):
        print(line)
    return 0


def clear_alerts(desk: Desk) -> int:
    """Take off the alerts of a unit that is gone and cannot do so itself."""
    office, user = desk.where()
    try:
        cleared = left.clear_alerts(desk.broker_settings(), office, user)
    except left.StillThere:
        raise Refused(desk.text("still_there", user=user, office=office)) from None
    if not cleared:
        desk.say("no_alerts", user=user)
        return 0
    desk.say("alerts_cleared", user=user, alerts=", ".join(cleared))
    return 0


def cured(desk: Desk) -> int:
    """End a clone's alert."""
    user = desk.user()
    desk.registry.cure_clone(user.office, user.user)
    desk.say("cured" if user.clone is not None else "not_cloned", user=user.user)
    return 0
