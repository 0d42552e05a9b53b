"""The plan's five metrics in words, Korean and English."""

from dispatch.history.plan_metrics import Metric, MetricValue

NAMES: dict[Metric, tuple[str, str]] = {
    Metric.SESSION_START: ("Session start", "세션 시작 지연"),
    Metric.TOKEN: ("Token generation", "토큰 생성 시간"),
    Metric.JOIN: ("Channel join", "채널 참여 시간"),
    Metric.PARTICIPANTS: ("Participants", "참여자 수"),
    Metric.HEARTBEATS: ("Heartbeats that came", "하트비트 성공률"),
}
"""Metric -> English, Korean."""

METHODS: dict[Metric, tuple[str, str]] = {
    Metric.SESSION_START: (
        "from the button until the first voice frame had left, average of granted presses",
        "버튼을 누른 때부터 첫 음성 프레임이 나갈 때까지, 허가된 누름의 평균",
    ),
    Metric.TOKEN: ("from the request to the answer, average", "요청부터 응답까지의 평균"),
    Metric.JOIN: (
        "of each burst that opened a channel, the listener that took longest; average",
        "채널을 연 발언마다 가장 늦게 참여한 구성원, 그 평균",
    ),
    Metric.PARTICIPANTS: ("members in the channel of a burst, average", "발언 때 채널에 있던 구성원, 평균"),
    Metric.HEARTBEATS: ("heartbeats that came / those that were due", "수신된 하트비트 / 예정된 하트비트"),
}
"""Metric -> how it is measured."""

TITLE = ("The plan's five metrics", "계획의 다섯 가지 지표")
HEAD = (("Metric", "지표"), ("Value", "값"), ("Samples", "표본"), ("How it is measured", "측정 방법"))
_NOT_MEASURED = ("not measured", "측정 안 됨")


def name(metric: Metric, lang: str) -> str:
    """Give what a metric is called."""
    return NAMES[metric][lang == "ko"]


def method(metric: Metric, lang: str) -> str:
    """Give how it is measured."""
    return METHODS[metric][lang == "ko"]


def title(lang: str) -> str:
    """Give the heading above all five."""
    return TITLE[lang == "ko"]


def head(lang: str) -> tuple[str, ...]:
    """Give the heads of the columns: metric, value, samples, method."""
    return tuple(column[lang == "ko"] for column in HEAD)


def value(of: MetricValue, lang: str) -> str:
    """Give the value with its unit, and the 95th percentile of durations."""
    if of.value is None:
        return _NOT_MEASURED[lang == "ko"]
    if of.metric is Metric.HEARTBEATS:
        return f"{of.value * 100:.2f}%"
    if of.metric is Metric.PARTICIPANTS:
        return f"{of.value:.1f}"
    return f"{of.value:.1f} ms" + ("" if of.p95 is None else f" (p95 {of.p95:.1f} ms)")
