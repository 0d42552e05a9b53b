"""Names of what `ptt-gateway doctor` looks at, in Korean and English."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.enrol_texts import Said


class Check(StrEnum):
    """What is looked at."""

    MACHINE = "machine"
    KERNEL = "kernel"
    LIBC = "libc"
    PAGE = "page_size"
    STAGED = "staged"
    DOUBT = "doubt"
    LOADED = "loaded"
    TOKEN = "token"
    JOINED = "joined"
    CPU = "cpu"
    ROUND_TRIP = "round_trip"


NAMES: Final[Mapping[Check, Said]] = {
    Check.MACHINE: Said("기계", "machine"),
    Check.KERNEL: Said("커널", "kernel"),
    Check.LIBC: Said("C 라이브러리", "C library"),
    Check.PAGE: Said("페이지 크기", "page size"),
    Check.STAGED: Said("Agora SDK 준비 상태", "Agora SDK staged"),
    Check.DOUBT: Said("주의", "take care"),
    Check.LOADED: Said("불러오기", "loads"),
    Check.TOKEN: Said("사무실의 토큰", "token from the office"),
    Check.JOINED: Said("채널 접속", "joins the channel"),
    Check.CPU: Said("접속 중 CPU", "CPU while joined"),
    Check.ROUND_TRIP: Said("음성 왕복", "voice there and back"),
}
