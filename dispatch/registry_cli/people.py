"""`ptt-dispatch region | office | user`."""

import json

from msgspec.structs import replace

from dispatch.probing.place import PROBE_OFFICE
from dispatch.registry.codes import ENROLLED_ROLES
from dispatch.registry.port import AlreadyThere
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.texts import Refused, role_name
from dispatch.registry.words import User
from dispatch.registry_cli.desk import Desk
from dispatch.registry_cli.show import office_lines, user_dict, user_lines, user_table


def region_add(desk: Desk) -> int:
    """Add a region."""
    made = desk.registry.add_region(desk.options.region, desk.options.name)
    desk.say("region_added", region=made.region, name=made.name)
    return 0


def region_list(desk: Desk) -> int:
    """List regions."""
    found = [each for each in desk.registry.regions() if each.region != PROBE_OFFICE.region]
    if desk.options.json:
        print(json.dumps([{"region": each.region, "name": each.name} for each in found], ensure_ascii=False))
        return 0
    for each in found:
        print(f"{each.region:<32} {each.name}")
    return 0


def office_add(desk: Desk) -> int:
    """Add an office."""
    made = desk.registry.add_office(desk.options.of, desk.options.name, desk.options.voice)
    desk.say("office_added", office=made.id, name=made.name, voice=made.voice)
    return 0


def office_list(desk: Desk) -> int:
    """List offices."""
    found = [each for each in desk.registry.offices() if each.id != PROBE_OFFICE]
    if desk.options.json:
        rows: list[dict[str, object]] = [
            {
                "region": each.id.region,
                "office": each.id.office,
                "name": each.name,
                "channel": each.channel,
                "voice": each.voice.value,
                "created_at": each.created_at,
                "replay_keep_s": each.replay_keep_s,
                "replay_keep_count": each.replay_keep_count,
            }
            for each in found
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for line in office_lines(found):
        print(line)
    return 0


def office_rename(desk: Desk) -> int:
    """Change an office's name."""
    made = desk.registry.change_office(desk.options.of, name=desk.options.name)
    desk.say("office_changed", office=made.id, name=made.name, voice=made.voice)
    return 0


def office_voice(desk: Desk) -> int:
    """Change what an office's voice goes over."""
    made = desk.registry.change_office(desk.options.of, voice=desk.options.voice)
    desk.say("office_changed", office=made.id, name=made.name, voice=made.voice)
    return 0


def user_add(desk: Desk) -> int:
    """Add a user; anybody who is no unit gets a secret, which the broker must take."""
    options = desk.options
    office, name = desk.where()
    if desk.registry.user(office, name) is not None:
        raise AlreadyThere(f"there is a user {name} in {office} already -> see: ptt-dispatch user list")

    def add() -> User:
        return desk.registry.add_user(
            office, name, options.role, options.name, priority=options.priority, listen_only=options.listen_only
        )

    if options.role in ENROLLED_ROLES:
        if options.secret_file is not None:
            raise Refused(f"a {options.role} gets its secret when its unit is enrolled -> leave --secret-file out")
        user = add()
        _told_added(desk, user)
        desk.say("user_unit", user=user.user)
        return 0
    with desk.secret_place() as place, desk.broker() as broker:
        user, secret = add(), new_secret()
        kept = hash_secret(secret)
        try:
            broker.put_user(replace(user, secret=kept), secret)
            desk.registry.set_secret(office, name, kept)
        except Exception as error:
            error.add_note(f"{name} was added, but has no secret yet -> ptt-dispatch user rotate {name}")
            raise
        _told_added(desk, user)
        place.show(user.login, secret)
    return 0


def _told_added(desk: Desk, user: User) -> None:
    role = role_name(user.role, desk.options.lang)
    desk.say("user_added", user=user.user, name=user.name, role=role, office=user.office)


def user_list(desk: Desk) -> int:
    """List users."""
    found = [
        each
        for each in desk.registry.users(desk.options.office)
        if desk.options.office is not None or each.office != PROBE_OFFICE
    ]
    if desk.options.json:
        print(json.dumps([user_dict(each) for each in found], ensure_ascii=False))
        return 0
    for line in user_table(found, desk.options.lang, desk.settings.zone_of):
        print(line)
    return 0


def user_show(desk: Desk) -> int:
    """Show one user."""
    found = desk.user()
    if desk.options.json:
        print(json.dumps(user_dict(found), ensure_ascii=False))
        return 0
    for line in user_lines(found, desk.options.lang, desk.settings.zone_of):
        print(line)
    return 0


def user_rename(desk: Desk) -> int:
    """Change a user's name."""
    return _changed(desk, desk.registry.change_user(*desk.where(), name=desk.options.name))


def user_priority(desk: Desk) -> int:
    """Change a user's priority."""
    return _changed(desk, desk.registry.change_user(*desk.where(), priority=desk.options.priority))


def user_listen_only(desk: Desk) -> int:
    """Let a user speak, or not."""
    return _changed(desk, desk.registry.change_user(*desk.where(), listen_only=desk.options.listen_only))


def _changed(desk: Desk, user: User) -> int:
    listens = desk.text("listens") if user.listen_only else ""
    fields = {"user": user.user, "office": user.office, "name": user.name, "priority": user.priority.value}
    desk.say("user_changed", **fields, listens=listens)
    return 0


def user_restore(desk: Desk) -> int:
    """Take a revocation back."""
    user = desk.registry.restore(*desk.where())
    then = "restored_unit" if user.role in ENROLLED_ROLES else "restored_person"
    print(desk.text("restored", user=user.user) + desk.text(then, user=user.user))
    return 0


def user_rotate(desk: Desk) -> int:
    """Give a user a new secret: first to the broker, then to the registry."""
    user = desk.user()
    if user.role in ENROLLED_ROLES:
        raise Refused(f"{user.user} is a unit: it is enrolled anew -> ptt-dispatch device code {user.user}")
    if user.revoked_at is not None:
        raise Refused(f"{user.user} is revoked -> first: ptt-dispatch user restore {user.user}")
    with desk.secret_place() as place, desk.broker() as broker:
        secret = new_secret()
        kept = hash_secret(secret)
        broker.put_user(replace(user, secret=kept), secret)
        try:
            desk.registry.set_secret(user.office, user.user, kept)
        except Exception as error:
            error.add_note(f"the broker took a new secret nobody knows -> ptt-dispatch user rotate {user.user}, again")
            raise
        desk.say("rotated", user=user.user)
        place.show(user.login, secret)
    return 0
