"""Days of an office: from midnight to midnight there, whatever the clocks do."""

from __future__ import annotations

from datetime import date

import pytest

from dispatch.history.day import Span, local, midnight_ms, period, read_day, read_moment, today, zone

HOUR_MS = 3_600_000
SEOUL = zone("Asia/Seoul")


@pytest.mark.parametrize(
    ("where", "day", "hours"),
    [
        ("Asia/Seoul", date(2026, 11, 22), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Beirut", date(2026, 3, 29), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_is_as_long_as_it_is_there_and_the_next_begins_where_it_ends(where: str, day: date, hours: float) -> None:
    made = period(Span.DAY, day, zone(where))

    assert (made.until - made.since) / HOUR_MS == hours
    assert made.until == midnight_ms(date.fromordinal(day.toordinal() + 1), zone(where))
    assert today(made.since, zone(where)) == today(made.until - 1, zone(where)) == day
    assert today(made.since - 1, zone(where)) < day


def test_seoul_s_day_begins_nine_hours_before_greenwich_s() -> None:
    assert period(Span.DAY, date(2026, 11, 22), SEOUL).since == 1_795_273_200_000


def test_a_week_is_from_monday_and_a_month_from_its_first() -> None:
    week, month = (period(span, date(2026, 12, 31), SEOUL) for span in (Span.WEEK, Span.MONTH))

    assert (week.first, week.last, week.days, week.name) == (date(2026, 12, 28), date(2027, 1, 3), 7, "2026-W53")
    assert (month.first, month.last, month.days, month.name) == (date(2026, 12, 1), date(2026, 12, 31), 31, "2026-12")


def test_whether_a_period_has_begun_and_is_over() -> None:
    made = period(Span.DAY, date(2026, 11, 22), SEOUL)

    assert [(made.begun(at), made.ended(at)) for at in (made.since - 1, made.since, made.until - 1, made.until)] == [
        (False, False),
        (True, False),
        (True, False),
        (True, True),
    ]


@pytest.mark.parametrize("text", ["2026-02-30", "22.11.2026", "20261122", "", "2026-W47-1", "tomorrow"])
def test_what_is_no_day_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="write YYYY-MM-DD"):
        read_day(text)


def test_a_moment_is_there_unless_it_says_its_own_offset() -> None:
    there = read_moment("2026-11-22T10:30", SEOUL)

    assert local(there, SEOUL).isoformat() == "2026-11-22T10:30:00+09:00"
    assert read_moment("2026-11-22T01:30Z", SEOUL) == there
    assert read_moment("2026-11-22", SEOUL) == period(Span.DAY, date(2026, 11, 22), SEOUL).since


@pytest.mark.parametrize("name", ["Asia/Nowhere", "", "../../etc/passwd", "Asia"])
def test_what_is_no_time_zone_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone -> give an IANA name"):
        zone(name)


def test_a_year_that_must_be_a_mistake_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of the years 2000 to 2099"):
        period(Span.DAY, date(9999, 12, 31), SEOUL)
