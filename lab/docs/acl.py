"""The broker's rights: the table of `dispatch.broker.acl` as docs/security.md shows it."""

from dispatch.broker.acl import SERVERS_ALERTS, SHARE_GROUP, TABLE, Connection, Place, Rule
from lab.docs.markdown import table
from protocol.rest import Role


def rights() -> str:
    """Every kind of topic, and what each role may do with it over which connection."""
    columns: dict[tuple[Connection, tuple[Rule, ...]], list[Role]] = {}
    for (role, connection), rules in TABLE.items():
        columns.setdefault((connection, rules), []).append(role)
    head = ["topic", *(f"{', '.join(roles)}: {connection}" for (connection, _), roles in columns.items())]
    rows = [(f"`{_name(place)}`", *(_cell(rules, place) for _, rules in columns)) for place in Place]
    alerts = ", ".join(f"`{alert}`" for alert in SERVERS_ALERTS)
    return (
        f"{table(head, rows)}\n"
        "Topics stand behind `ptt/v1/<region>/<office>/`, always one's own office. `own`: one's own user; `office`: "
        "every user of the office. An empty cell, and everything that is not in the table, is denied: other offices, "
        "`$SYS`, shared subscriptions, wildcards that reach further.\n\n"
        f"- Alerts of the ids {alerts} are the server's, on every device's topics.\n"
        "- The server's own login (`ptt-dispatch`) publishes and reads all of `ptt/v1/#`, shares floor messages among "
        f"its replicas (`$share/{SHARE_GROUP}/...`) and manages the broker's users (`$CONTROL/dynamic-security/v1`).\n"
        "- Last wills and retained messages are publishing; a role without a column for `voice` has no such login.\n"
    )


def _name(place: Place) -> str:
    return place.value.replace("{}", "<user>").replace("+", "<id>")


def _cell(rules: tuple[Rule, ...], place: Place) -> str:
    said = [
        f"{act} {whose.value}"
        for rule in rules
        if rule.place is place
        for act, whose in (("publish", rule.publish), ("read", rule.read))
        if whose is not None
    ]
    return ", ".join(said)
