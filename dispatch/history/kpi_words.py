"""The KPI rows in words, Korean and English: what each is called and how it is measured."""

from dispatch.history.kpi import Kpi, Measured, Target, Unit, Verdict

NAMES: dict[Kpi, tuple[str, str]] = {
    Kpi.INTEGRITY: ("Data integrity", "데이터 정합성"),
    Kpi.RESPONSE: ("Response time", "응답 지연"),
    Kpi.TOKEN: ("Token generation time", "토큰 생성 시간"),
    Kpi.JOIN: ("Channel join time", "채널 참여 시간"),
    Kpi.CONCURRENT: ("Members at once", "동시 접속"),
    Kpi.ERROR_RATE: ("Error rate", "에러율"),
    Kpi.AVAILABILITY: ("Availability", "시스템 가용성"),
    Kpi.SATISFACTION: ("User satisfaction", "사용자 만족도"),
    Kpi.SUCCESS: ("Calls that were heard", "PTT 성공률"),
    Kpi.SESSION_LENGTH: ("Average session", "평균 세션 길이"),
    Kpi.ACTIVE_USERS: ("Active users", "일일 활성 사용자"),
    Kpi.COST: ("Agora cost saved", "Agora 비용 절감"),
}
"""Row -> English, Korean."""

METHODS: dict[Kpi, tuple[str, str]] = {
    Kpi.INTEGRITY: (
        "bursts ended within 5 s of their last renewal whose session's joins equal its leavings, over all bursts",
        "마지막 갱신 후 5초 이내에 종료되고 세션의 참여와 이탈이 일치하는 발언 / 전체 발언",
    ),
    Kpi.RESPONSE: (
        "from the button until the first other member heard it, average of the presses' traces",
        "버튼을 누른 때부터 다른 구성원이 처음 들을 때까지, 누름 기록의 평균",
    ),
    Kpi.TOKEN: ("from the request to the answer, average", "요청부터 응답까지의 평균"),
    Kpi.JOIN: ("until the channel is joined, average of the presses' traces", "채널 참여 완료까지, 누름 기록의 평균"),
    Kpi.CONCURRENT: (
        "needs a load test, which was not made; a day's work cannot tell",
        "부하 테스트가 필요하며 아직 하지 않았음. 하루의 사용으로는 알 수 없음",
    ),
    Kpi.ERROR_RATE: (
        "presses with neither a grant nor an explained denial, over all presses",
        "허가도 이유 있는 거절도 받지 못한 누름 / 전체 누름",
    ),
    Kpi.AVAILABILITY: (
        "synthetic presses, one a minute, that were granted in time, over all of them; of the whole service",
        "매분 한 번의 시험 누름 중 제시간에 허가된 누름 / 전체 시험 누름, 서비스 전체 기준",
    ),
    Kpi.SATISFACTION: ("by a survey", "설문조사"),
    Kpi.SUCCESS: (
        "bursts heard by at least one, over the bursts that somebody could hear",
        "한 명 이상이 들은 발언 / 들을 사람이 있었던 발언",
    ),
    Kpi.SESSION_LENGTH: ("from the first grant until the session is over", "첫 허가부터 세션 종료까지"),
    Kpi.ACTIVE_USERS: (
        "vehicles and drivers who joined, spoke or wanted to, over all of the registry",
        "참여했거나 말했거나 말하려 한 차량과 기사 / 등록된 차량과 기사",
    ),
    Kpi.COST: (
        "minutes not joined to Agora, over those of members always joined",
        "상시 참여 대비 Agora에 참여하지 않은 시간",
    ),
}
"""Row -> how it is measured."""

VERDICTS: dict[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("pass", "달성"),
    Verdict.FAIL: ("FAIL", "미달"),
    Verdict.NOT_MEASURED: ("not measured", "측정 안 됨"),
}

_UNITS: dict[Unit, tuple[str, str]] = {
    Unit.PART: ("%", "%"),
    Unit.MS: (" ms", " ms"),
    Unit.SECONDS: (" s", "초"),
    Unit.MEMBERS: (" per office", "명/사무실"),
}


def name(kpi: Kpi, lang: str) -> str:
    """Give what a row is called."""
    return NAMES[kpi][lang == "ko"]


def method(kpi: Kpi, lang: str) -> str:
    """Give how it is measured."""
    return METHODS[kpi][lang == "ko"]


def verdict_text(of: Verdict, lang: str) -> str:
    """Give pass, fail or not measured."""
    return VERDICTS[of][lang == "ko"]


def value_text(value: float | None, unit: Unit, lang: str) -> str:
    """Give a value with its unit; a part as percent with as many digits as the targets need."""
    if value is None:
        return verdict_text(Verdict.NOT_MEASURED, lang)
    number = f"{value * 100:.2f}" if unit is Unit.PART else f"{value:.1f}"
    return f"{number}{_UNITS[unit][lang == 'ko']}"


def target_text(target: Target, lang: str) -> str:
    """Give `≥ 99.99%`, `< 100 ms`, `≤ 30 s`."""
    sign = "≥" if target.at_least else "<" if target.below else "≤"
    number = f"{target.value * 100:g}" if target.unit is Unit.PART else f"{target.value:g}"
    return f"{sign} {number}{_UNITS[target.unit][lang == 'ko']}"


def measured_text(row: Measured, lang: str) -> str:
    """Give the value of a row, with its 95th percentile where there is one."""
    text = value_text(row.value, row.target.unit, lang)
    if row.p95 is not None:
        text += f" (p95 {value_text(row.p95, row.target.unit, lang)})"
    if row.unprobed_min:
        said = f"{row.unprobed_min} min not probed" if lang != "ko" else f"측정하지 않은 시간 {row.unprobed_min}분"
        text += f" ({said})"
    return text
