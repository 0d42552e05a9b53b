"""What no button can make is not judged, and no member pays for another."""

from dispatch.pace import OTHERS_AT_ONCE, REQUESTS_AT_ONCE, REQUESTS_PER_S, Pace
from protocol.ids import OfficeId
from protocol.messages import FloorRelease, FloorRenew, FloorRequest, Priority

OFFICE = OfficeId("kr", "seoul")


def asks(press: int) -> FloorRequest:
    return FloorRequest(request_id=(0, 1, 1, press))


def test_a_driver_who_presses_as_fast_as_a_button_can_is_always_judged() -> None:
    pace = Pace()
    # six presses a second for a minute
    told = [pace.allow(OFFICE, "car-1", asks(press), press / 6) for press in range(360)]

    assert all(told)


def test_of_a_flood_so_much_is_judged_as_the_pace_allows_and_no_more() -> None:
    pace = Pace()
    # given a thousand requests a second for ten seconds
    judged = sum(pace.allow(OFFICE, "car-1", asks(press), press / 1000) for press in range(10_000))
    # then the store sees what was allowed at once, and ten a second
    assert REQUESTS_AT_ONCE <= judged <= REQUESTS_AT_ONCE + 10 * REQUESTS_PER_S + 1


def test_a_flood_costs_neither_another_member_nor_the_release_of_ones_own_talk() -> None:
    pace = Pace()
    for press in range(1000):
        pace.allow(OFFICE, "car-1", asks(press), 1.0)

    assert not pace.allow(OFFICE, "car-1", asks(1001), 1.0)
    assert pace.allow(OFFICE, "car-2", asks(1), 1.0)
    assert pace.allow(OfficeId("kr", "busan"), "car-1", asks(1), 1.0)
    assert pace.allow(OFFICE, "car-1", FloorRelease(request_id=(0, 1, 1, 1), burst=7, last_seq=1), 1.0)


def test_a_flood_of_requests_and_renewals_costs_neither_an_emergency_nor_a_release() -> None:
    pace = Pace()
    for press in range(1000):
        pace.allow(OFFICE, "car-1", asks(press), 1.0)
        pace.allow(OFFICE, "car-1", FloorRenew(burst=7, renew_no=press + 1), 1.0)

    urgent = FloorRequest(request_id=(0, 1, 1, 2000), priority=Priority.EMERGENCY)
    assert pace.allow(OFFICE, "car-1", urgent, 1.0)
    assert pace.allow(OFFICE, "car-1", FloorRelease(request_id=(0, 1, 1, 1), burst=7, last_seq=1), 1.0)


def test_what_is_no_request_is_bounded_too_and_comes_back_with_time() -> None:
    pace = Pace()
    release = FloorRelease(request_id=(0, 1, 1, 1), burst=7, last_seq=1)

    told = [pace.allow(OFFICE, "car-1", release, 1.0) for _ in range(OTHERS_AT_ONCE + 1)]

    assert told == [True] * OTHERS_AT_ONCE + [False]
    assert pace.allow(OFFICE, "car-1", release, 1.1)
