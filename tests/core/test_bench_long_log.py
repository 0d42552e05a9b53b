"""The made-up log that the event log is measured with: as a server's, in order, and whole."""

from itertools import pairwise

import pytest

from dispatch.history.day import DEFAULT_ZONE, Span, period, today, zone
from dispatch.history.figures import count
from dispatch.store.tx import read_event
from lab.bench.long_log import DAY_MS, DAYS, RARE_USER, USERS, per_session, rows, session_id
from lab.bench.run import main
from protocol.ids import OfficeId

END_MS = 1_795_392_000_000
COUNT = 200_000


def test_a_made_up_log_is_numbered_in_time_and_fills_its_year() -> None:
    found = list(rows(COUNT, END_MS))
    assert [row[0] for row in found] == list(range(1, COUNT + 1))
    assert all(first[1] <= second[1] for first, second in pairwise(found))
    assert 0 <= found[0][1] - (END_MS - DAYS * DAY_MS) < DAY_MS
    assert END_MS - 10 * DAY_MS < found[-1][1] <= END_MS
    assert sum(row[4] == RARE_USER for row in found) < COUNT / 10_000
    assert session_id(0) == found[0][3]


def test_a_made_up_day_counts_as_sound_talk_of_every_member() -> None:
    where = zone(DEFAULT_ZONE)
    day = period(Span.DAY, today(END_MS - 30 * DAY_MS, where), where)
    figures = count(OfficeId("a", "b"), day, map(read_event, rows(COUNT, END_MS)), where, END_MS)
    assert figures.sessions == figures.bursts == figures.heard_bursts > 5
    assert figures.events > figures.sessions * (per_session() - 1)
    assert figures.most_at_once in (len(USERS), len(USERS) + 1)
    assert figures.integrity.rate == 1.0


@pytest.mark.parametrize("count", ["0", "9999", "20000001", "many", "-5", "5e6"])
def test_a_log_of_a_size_that_cannot_be_measured_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "event-log", f"--events={count}"])
    assert "is no number of events" in capsys.readouterr().err
