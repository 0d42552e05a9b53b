"""How often somebody may fail at the REST service's doors, in virtual time."""

from __future__ import annotations

import pytest

from dispatch.rest.limits import Allowance, CodeLimits, LoginLimits, address_key

CARRIER, HOME = "203.0.113.7", "198.51.100.9"


def fail(limits: LoginLimits, address: str, login: str, times: int, now: float) -> None:
    for _ in range(times):
        limits.failed(address, login, now)


def test_an_allowance_is_spent_and_refills_to_its_full_and_no_further() -> None:
    allowance = Allowance(3, 0.5)

    for _ in range(3):
        assert allowance.wait_s("a", 100.0) == 0.0
        allowance.spend("a", 100.0)

    assert allowance.wait_s("a", 100.0) == pytest.approx(2.0)
    assert allowance.wait_s("b", 100.0) == 0.0
    assert allowance.wait_s("a", 102.0) == 0.0
    for _ in range(3):
        allowance.spend("a", 9_000.0)
    assert allowance.wait_s("a", 9_000.0) == pytest.approx(2.0)


def test_spending_more_than_there_is_makes_nobody_wait_longer() -> None:
    allowance = Allowance(1, 1.0)

    for _ in range(50):
        allowance.spend("a", 0.0)

    assert allowance.wait_s("a", 0.0) == pytest.approx(1.0)


def test_a_table_is_bounded_and_forgets_who_was_unused_for_longest() -> None:
    allowance = Allowance(1, 0.001, keys_max=100)

    for number in range(1000):
        allowance.spend(str(number), 0.0)

    assert allowance.wait_s("0", 0.0) == 0.0
    assert allowance.wait_s("899", 0.0) == 0.0
    assert all(allowance.wait_s(str(number), 0.0) > 0 for number in range(900, 1000))


def test_ten_failures_of_a_login_at_an_address_are_heard_and_then_one_in_five_seconds() -> None:
    limits = LoginLimits()

    fail(limits, HOME, "seoul.1.car", 10, 0.0)

    assert limits.wait_s(HOME, "seoul.1.car", 0.0) == pytest.approx(5.0)
    assert limits.wait_s(HOME, "seoul.1.car", 5.0) == 0.0


def test_guessing_one_login_from_many_addresses_is_slowed_down_and_its_own_unit_is_not() -> None:
    limits = LoginLimits()
    limits.succeeded(HOME, "seoul.1.car")

    for number in range(40):
        fail(limits, f"10.0.0.{number}", "seoul.1.car", 1, 0.0)

    assert limits.wait_s("10.0.1.1", "seoul.1.car", 0.0) > 0
    assert limits.wait_s(HOME, "seoul.1.car", 0.0) == 0.0


def test_guessing_many_logins_from_one_address_is_slowed_down_and_cars_known_there_are_not() -> None:
    limits = LoginLimits()
    limits.succeeded(CARRIER, "seoul.1.car-1")

    for number in range(100):
        fail(limits, CARRIER, f"seoul.1.guess-{number}", 1, 0.0)

    assert limits.wait_s(CARRIER, "seoul.1.car-2", 0.0) > 0
    assert limits.wait_s(CARRIER, "seoul.1.car-1", 0.0) == 0.0
    assert limits.wait_s(HOME, "seoul.1.car-2", 0.0) == 0.0


def test_a_known_unit_that_begins_to_fail_at_its_address_is_slowed_down_too() -> None:
    limits = LoginLimits()
    limits.succeeded(HOME, "seoul.1.car")

    fail(limits, HOME, "seoul.1.car", 10, 0.0)

    assert limits.wait_s(HOME, "seoul.1.car", 0.0) > 0


def test_known_units_are_bounded_too() -> None:
    limits = LoginLimits(keys_max=10)

    for number in range(20):
        limits.succeeded(HOME, f"seoul.1.car-{number}")
    for number in range(200):
        fail(limits, HOME, f"seoul.1.guess-{number}", 1, 0.0)

    assert limits.wait_s(HOME, "seoul.1.car-0", 0.0) > 0
    assert limits.wait_s(HOME, "seoul.1.car-19", 0.0) == 0.0


def test_codes_are_limited_by_address_and_over_all() -> None:
    limits = CodeLimits()

    for _ in range(10):
        limits.failed(HOME, 0.0)

    assert limits.wait_s(HOME, 0.0) == pytest.approx(6.0)
    assert limits.wait_s(CARRIER, 0.0) == 0.0
    for number in range(290):
        limits.failed(f"10.0.0.{number}", 0.0)
    assert limits.wait_s(CARRIER, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        (None, "?"),
        ("not an address", "?"),
    ],
)
def test_an_address_counts_as_what_one_customer_has(host: str | None, key: str) -> None:
    assert address_key(host) == key
