"""An enrolment as the office gives one, and what else tests of enrolled units need."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from protocol.messages import VoicePath
from protocol.rest import BrokerAccess, Enrolment, Role

SECRET = "s3cret-0123456789abcdef"
PINS = '[pins]\nfactory = "lgpio"\n'


def enrolment(**fields: Any) -> Enrolment:
    made: dict[str, Any] = {
        "region": "seoul",
        "office": "hq",
        "user": "car-17",
        "role": Role.VEHICLE_GATEWAY,
        "name": "17호차",
        "generation": 3,
        "hardware": "a" * 32,
        "secret": SECRET,
        "broker": BrokerAccess(host="ptt.example", port=8883),
        "rest_url": "https://ptt.example:8443",
        "voice": VoicePath.AGORA,
        "ca_pem": "-----BEGIN CERTIFICATE-----\n",
    }
    return Enrolment(**{**made, **fields})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
