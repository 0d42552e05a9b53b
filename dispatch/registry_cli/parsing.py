"""What people type as an id, an office, a user; raises argparse's own error for what is none."""

import argparse

from protocol.ids import OfficeId
from protocol.rest import REPLAY_COUNT_MAX, REPLAY_KEEP_S_MAX
from protocol.topics import BadTopic, check_id

VALID_H_MAX = 30 * 24


def plain_id(text: str) -> str:
    """Read an id."""
    return _checked(text, "id")


def office_id(text: str) -> OfficeId:
    """Read `REGION/OFFICE`."""
    region, _, office = text.partition("/")
    try:
        return OfficeId(check_id(region, "region"), check_id(office, "office"))
    except BadTopic as error:
        raise argparse.ArgumentTypeError(f"{error}; write REGION/OFFICE, such as seoul/hq") from None


def user_at(text: str) -> tuple[OfficeId | None, str]:
    """Read `USER` or `REGION/OFFICE/USER`."""
    office, slash, user = text.rpartition("/")
    return (office_id(office) if slash else None), _checked(user, "user")


def switch(text: str) -> bool:
    """Read `on` or `off`."""
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return text == "on"


def hours(text: str) -> int:
    """Read a number of hours a code may be valid."""
    if not text.isdecimal() or not 1 <= int(text[:6]) <= VALID_H_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of hours from 1 to {VALID_H_MAX}")
    return int(text)


def keep_s(text: str) -> int:
    """Read for how many seconds bursts are kept."""
    return _between(text, 1, REPLAY_KEEP_S_MAX, "seconds")


def keep_count(text: str) -> int:
    """Read how many bursts are kept."""
    return _between(text, 1, REPLAY_COUNT_MAX, "bursts")


def _between(text: str, least: int, most: int, what: str) -> int:
    if not text.isdecimal() or not least <= int(text[:9]) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {what} from {least} to {most}")
    return int(text)


def _checked(text: str, what: str) -> str:
    try:
        return check_id(text, what)
    except BadTopic as error:
        raise argparse.ArgumentTypeError(str(error)) from None
