"""Time is judged up to the moment whose input was all handled: under a flood too, and never beyond it."""

import pytest

from dispatch.backlog import Backlog
from dispatch.core.judge import Clock, Judge
from dispatch.core.state import Floor, FloorState, OfficeRules
from protocol.timers import LEASE_S


def test_where_nothing_waits_the_present_is_judged() -> None:
    assert Backlog().behind_s(10.0, 0) == 0.0


def test_while_what_was_there_is_not_all_handled_nothing_is_judged() -> None:
    backlog = Backlog()

    seen = [backlog.behind_s(10.0, 500)]
    backlog.handled(499)
    seen.append(backlog.behind_s(10.4, 700))

    assert seen == [None, None]


def test_once_all_that_was_there_is_handled_that_moment_is_judged_however_much_came_since() -> None:
    backlog = Backlog()
    backlog.behind_s(10.0, 500)
    backlog.handled(500)

    first = backlog.behind_s(10.4, 700)
    backlog.handled(600)
    unfinished = backlog.behind_s(10.6, 900)
    backlog.handled(100)

    assert (first, unfinished) == (pytest.approx(0.4), None)
    assert backlog.behind_s(11.0, 50) == pytest.approx(0.6)


def test_an_emptied_socket_ends_the_arrears() -> None:
    backlog = Backlog()
    backlog.behind_s(10.0, 500)

    now = backlog.behind_s(10.2, 0)

    assert (now, backlog.behind_s(10.3, 10)) == (0.0, None)


def test_a_lease_is_judged_by_what_was_handled_and_not_by_the_time_that_took() -> None:
    clock = Clock()
    clock.run(100.0, True)
    judge = Judge(OfficeRules(), clock)
    for renew_no in (1, 2):
        judge.see_floor(
            Floor(store="s", channel_name="c", state=FloorState.TAKEN, burst=1, holder="car-1", renew_no=renew_no)
        )
    for tenth in range(1, 33):
        clock.advance(100.0 + tenth / 10)

    assert judge.due(behind_s=0.3) == ()
    assert len(judge.due(behind_s=3.15 - LEASE_S)) == 1
