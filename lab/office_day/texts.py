"""What `make office` prints, in Korean and English."""

from __future__ import annotations

from typing import Final

LINES: Final[dict[str, tuple[str, str]]] = {
    "starting": (
        "연습 사무실을 만듭니다: 차량 {cars}대, 지난 {days}일…",
        "making a practice office: {cars} vehicles, {days} days…",
    ),
    "past": ("  지난 날을 서버의 코드로 살아 봅니다: {percent}%", "  living through its past: {percent} %"),
    "ready": (
        "\n브라우저에서 여세요: {url}\n  (자체 인증서입니다: 경고가 나오거나, {ca} 를 가져오세요)\n\n"
        "배차 담당   {desk}\n  비밀       {desk_secret}\n관리자      {admin}\n  비밀       {admin_secret}\n\n"
        "비밀은 여기서 한 번만 보입니다 ({path} 에도 있습니다, 권한 0600).\n"
        "보이는 것은 모두 지어낸 것입니다: 하루가 {speed:g}배 빠르게 갑니다.  끝내기: Ctrl-C",
        "\nopen in a browser: {url}\n  (its certificate is its own: click the warning away, or import {ca})\n\n"
        "dispatcher  {desk}\n  secret    {desk_secret}\nadmin       {admin}\n  secret    {admin_secret}\n\n"
        "The secrets are shown this once (and are in {path}, mode 0600).\n"
        "All that is seen is made up; the day goes {speed:g} times as fast.  Ctrl-C ends it",
    ),
    "picture": ("  그림: {path} ({kb} kB)", "  picture: {path} ({kb} kB)"),
    "stopped": ("끝났습니다", "ended"),
}
