"""What `make cab` prints, in Korean and English; the page's own texts are in page/texts.js."""

from __future__ import annotations

from typing import Final

LINES: Final[dict[str, tuple[str, str]]] = {
    "starting": (
        "사무소 하나와 차량 {cars}대를 시작합니다…",
        "starting an office and {cars} vehicles…",
    ),
    "ready": (
        "브라우저에서 여세요: {url}  (끝내기: Ctrl-C)",
        "open in a browser: {url}  (Ctrl-C ends it)",
    ),
    "over": ("{hours}시간이 지나 끝냅니다", "it ends after {hours} hours: start it again"),
    "stopped": ("끝났습니다", "ended"),
}
