"""The dashboard's own login at the broker: kept right, and never taken for a stranger's."""

from __future__ import annotations

import pytest

from dispatch.broker.acl import server_entries, web_entries
from dispatch.broker.dynsec import ClientWords, ModifyRole, RoleRef
from dispatch.broker.verdict import judge, wanted
from protocol.login import SERVER_LOGIN, WEB_LOGIN, BadLogin, parse_login

OWN = f"{WEB_LOGIN}-1"
CLIENTS = {name: ClientWords(username=name, roles=(RoleRef(rolename=name),)) for name in (SERVER_LOGIN, OWN)}


def test_it_is_left_open_and_is_nobody_unknown() -> None:
    verdict = judge(wanted([]), CLIENTS, {SERVER_LOGIN: server_entries(), OWN: web_entries()})

    assert (verdict.unproven, verdict.unknown, verdict.missing, verdict.mend) == ((), (), (), ())


def test_a_role_of_it_that_may_do_more_is_set_right() -> None:
    verdict = judge(wanted([]), CLIENTS, {SERVER_LOGIN: server_entries(), OWN: server_entries()})

    assert verdict.mend == (ModifyRole(rolename=OWN, acls=web_entries()),)


def test_no_user_can_ever_have_it() -> None:
    with pytest.raises(BadLogin):
        parse_login(OWN)
