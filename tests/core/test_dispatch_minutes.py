"""Minutes joined to Agora, counted from logs made by hand, the broken ones too."""

import csv
import json
from zoneinfo import ZoneInfo

import pytest

from dispatch.minutes import LEFT_BEHIND_S, SILENT_LOG_S, OfficeMinutes, Stay, UserMinutes, cost_usd, count, per_month
from dispatch.minutes_cli import as_csv, as_json, as_lines
from protocol.ids import OfficeId
from protocol.messages import Event, EventType

SEOUL = ZoneInfo("Asia/Seoul")
HQ = OfficeId("seoul", "hq")
MIN = 60_000
DAY = 1440 * MIN
JOINED, LEFT, CHANGED, ENDED = (
    EventType.USER_JOINED,
    EventType.USER_LEFT,
    EventType.VOICE_CHANGED,
    EventType.SESSION_ENDED,
)


class Log:
    """A log of events at minutes since the period's begin (which is day 10)."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, minute: float, kind: EventType, user: str | None = None, session: str = "s1", **meta: object) -> None:
        at = 10 * DAY + round(minute * MIN)
        no = len(self.events) + 1
        name = None if user is None else f"{user}호"
        self.events.append(Event(no=no, event=kind, at=at, event_id=session, user=user, name=name, metadata=meta))

    def count(self, minutes: float = 1440, **stays: Stay) -> OfficeMinutes:
        known = {name.replace("_", "-"): stay for name, stay in stays.items()}
        return count(HQ, self.events, known, 10 * DAY, 10 * DAY + round(minutes * MIN))


def only(found: OfficeMinutes) -> UserMinutes:
    [user] = found.users
    return user


def test_a_member_is_counted_from_joining_agora_to_leaving() -> None:
    log = Log()
    log.add(10, JOINED, "car-1", voice="agora")
    log.add(12.5, ENDED)
    log.add(12.6, LEFT, "car-1")

    user = only(log.count())

    assert (user.user, user.name, user.joins) == ("car-1", "car-1호", 1)
    assert user.joined_min == pytest.approx(2.6)
    assert user.always_min == 1440
    assert user.saving == pytest.approx(1 - 2.6 / 1440)


def test_time_on_mqtt_voice_costs_nothing_before_between_and_after() -> None:
    log = Log()
    log.add(1, JOINED, "car-1", voice="mqtt")
    log.add(2, CHANGED, "car-1", voice="agora")
    log.add(4, CHANGED, "car-1", voice="mqtt")
    log.add(7, CHANGED, "car-1", voice="agora")
    log.add(8, LEFT, "car-1")

    user = only(log.count())

    assert (user.joined_min, user.joins) == (pytest.approx(3), 2)


def test_the_channel_is_counted_over_either_voice_whole_and_once() -> None:
    log = Log()
    log.add(-3, JOINED, "car-1", session="s0", voice="mqtt")
    log.add(2, LEFT, "car-1", session="s0")
    log.add(5, JOINED, "car-1", voice="mqtt")
    log.add(5, JOINED, "car-2", voice="mqtt")
    log.add(6, CHANGED, "car-1", voice="agora")
    log.add(8, CHANGED, "car-1", voice="mqtt")
    log.add(9, LEFT, "car-1")
    log.add(9, ENDED)

    found = log.count()

    assert found.channel == {"car-1": pytest.approx(2 + 4), "car-2": pytest.approx(4 + LEFT_BEHIND_S / 60)}
    assert found.channel_min == pytest.approx(10 + LEFT_BEHIND_S / 60)
    assert only(found).joined_min == pytest.approx(2)


def test_a_member_that_only_ever_used_mqtt_is_counted_as_one_that_could_have_been_joined() -> None:
    log = Log()
    log.add(1, JOINED, "car-1", voice="mqtt")
    log.add(2, LEFT, "car-1")

    user = only(log.count(car_1=Stay(user="car-1", name="1호")))

    assert (user.joined_min, user.always_min, user.saving) == (0, 1440, 1.0)


def test_a_log_of_before_there_was_a_choice_of_voice_is_all_mqtt() -> None:
    log = Log()
    log.add(1, JOINED, "car-1")
    log.add(2, LEFT, "car-1")

    assert log.count().users == ()


def test_a_member_whose_leaving_was_never_logged_is_counted_a_bounded_time_after_the_session() -> None:
    log = Log()
    log.add(1, JOINED, "car-1", voice="agora")
    log.add(3, ENDED)
    log.add(600, JOINED, "car-2", "s9", voice="agora")
    log.add(601, LEFT, "car-2", "s9")

    by_user = {u.user: u.joined_min for u in log.count().users}

    assert by_user == {"car-1": pytest.approx(2 + LEFT_BEHIND_S / 60), "car-2": pytest.approx(1)}


def test_a_late_leaving_after_a_crash_counts_no_longer_than_that_either() -> None:
    log = Log()
    log.add(1, JOINED, "car-1", voice="agora")
    log.add(2, ENDED)
    log.add(300, LEFT, "car-1")

    assert only(log.count()).joined_min == pytest.approx(1 + LEFT_BEHIND_S / 60)


def test_a_log_that_stops_in_mid_session_counts_a_bounded_time_more() -> None:
    log = Log()
    log.add(1, JOINED, "car-1", voice="agora")
    log.add(5, EventType.BURST_ENDED, "car-1", burst=1)

    assert only(log.count()).joined_min == pytest.approx(4 + SILENT_LOG_S / 60)


def test_a_session_that_runs_at_the_period_s_end_is_counted_up_to_it() -> None:
    log = Log()
    log.add(58, JOINED, "car-1", voice="agora")
    log.add(59, EventType.BURST_ENDED, "car-1", burst=1)

    assert only(log.count(minutes=60)).joined_min == pytest.approx(2)


def test_joining_another_session_ends_the_stay_in_the_first() -> None:
    log = Log()
    log.add(1, JOINED, "car-1", "s1", voice="agora")
    log.add(4, JOINED, "car-1", "s2", voice="agora")
    log.add(5, LEFT, "car-1", "s2")

    user = only(log.count())

    assert (user.joined_min, user.joins) == (pytest.approx(4), 2)


def test_only_what_lies_in_the_period_counts() -> None:
    log = Log()
    log.add(-5, JOINED, "car-1", voice="agora")
    log.add(2, LEFT, "car-1")
    log.add(1439, JOINED, "car-1", "s2", voice="agora")
    log.add(1450, LEFT, "car-1", "s2")

    user = only(log.count())

    assert (user.joined_min, user.joins) == (pytest.approx(3), 1)


def test_a_clock_set_back_in_mid_session_counts_nothing_instead_of_less() -> None:
    log = Log()
    log.add(10, JOINED, "car-1", voice="agora")
    log.add(4, LEFT, "car-1")

    assert log.count().total.joined_min == 0


def test_always_joined_begins_when_a_user_is_made_and_ends_when_it_is_revoked() -> None:
    begun = Stay(user="car-1", since=10 * DAY + 400 * MIN)
    ended = Stay(user="car-2", until=10 * DAY + 100 * MIN)
    past = Stay(user="car-3", until=9 * DAY)

    found = Log().count(car_1=begun, car_2=ended, car_3=past)

    assert [u.always_min for u in found.users] == [1040, 100, 0]
    assert [u.saving for u in found.users] == [1.0, 1.0, None]


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before"):
        Log().count(minutes=-1)


def test_a_month_always_joined_costs_what_the_facts_say() -> None:
    month = per_month(1440, 0, DAY)

    assert month == 43_200
    assert cost_usd(month, 0.99) == pytest.approx(42.77, abs=0.01)
    assert per_month(0, 5, 5) is None


def a_day() -> list[OfficeMinutes]:
    log = Log()
    log.add(10, JOINED, "car-1", voice="agora")
    log.add(154, EventType.SPEAKER_CHANGED, "car-1", burst=1)
    log.add(154, LEFT, "car-1")
    stays = {user: Stay(user=user.replace("_", "-"), name="=1호") for user in ("car_1", "car_2")}
    return [log.count(**stays)]


def test_the_forms_agree_and_say_what_is_assumed() -> None:
    lines = "\n".join(as_lines(a_day(), 0.99, "en", lambda _office: SEOUL))
    rows = list(csv.DictReader(as_csv(a_day(), 0.99)))
    built = json.loads(as_json(a_day(), 0.99))

    assert "95.0%" in lines
    assert "US$ 0.14; always joined: US$ 2.85" in lines
    assert "assumption" in lines
    assert [(r["user"], r["joined_min"], r["saving_percent"], r["name"]) for r in rows] == [
        ("car-1", "144.00", "90.00", "'=1호"),
        ("car-2", "0.00", "100.00", "'=1호"),
    ]
    [office] = built["offices"]
    assert office["total"]["saving"] == pytest.approx(0.95)
    assert office["total"]["month_cost_usd"] == pytest.approx(144 * 30 * 0.99 / 1000)


def test_where_nobody_joined_agora_no_saving_is_told_but_what_it_would_have_been() -> None:
    log = Log()
    log.add(10, JOINED, "car-1", voice="mqtt")
    log.add(154, LEFT, "car-1")
    log.add(154, ENDED)
    stays = {user: Stay(user=user.replace("_", "-")) for user in ("car_1", "car_2")}

    found = log.count(1440, **stays)
    lines = list(as_lines([found], 0.99, "en", lambda _office: SEOUL))
    rows = list(csv.DictReader(as_csv([found], 0.99)))
    [office] = json.loads(as_json([found], 0.99))["offices"]

    told = [line for line in lines if "%" in line]
    assert told == ["  nobody was joined to Agora, so no saving can be told; had all voice been Agora's, saved: 95.0%"]
    assert "US$ 0.00" not in "\n".join(lines)
    assert [row["saving_percent"] for row in rows] == ["", ""]
    assert [office["total"]["saving"], *(user["saving"] for user in office["users"])] == [None, None, None]


def test_korean_is_spoken_too() -> None:
    assert "절감" in "\n".join(as_lines(a_day(), 0.99, "ko", lambda _office: SEOUL))
