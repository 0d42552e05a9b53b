"""The report in words, English and Korean."""

from dispatch.history.day import Span
from protocol.messages import DenyCause, Ended, RevokeCause

_TEXT: dict[str, tuple[str, str]] = {
    "title_day": ("Daily report", "일일 보고서"),
    "title_week": ("Weekly report", "주간 보고서"),
    "title_month": ("Monthly report", "월간 보고서"),
    "made": ("made {at}", "작성 {at}"),
    "running": ("NOT OVER YET: as of {at}", "아직 끝나지 않음: {at} 현재"),
    "empty": (
        "Nothing was logged: nobody spoke, wanted to, joined or was lost.",
        "기록이 없습니다: 말하거나 참여하거나 끊어진 구성원이 없었습니다.",
    ),
    "sessions": ("Sessions", "총 세션 수"),
    "session_average": ("Average session", "평균 세션 길이"),
    "session_longest": ("Longest session", "최장 세션"),
    "most_at_once": ("Most participants at once", "최대 동시 참여자"),
    "error_rate": ("Error rate", "에러율"),
    "response": ("Average response", "평균 응답 시간"),
    "talk": ("Talk time", "총 통화 시간"),
    "bursts": ("Bursts", "발언 수"),
    "kpi": ("Targets (plan 9.1 - 9.3)", "목표 대비 실적 (계획서 9.1~9.3)"),
    "kpi_row": ("figure", "지표"),
    "kpi_target": ("target", "목표"),
    "kpi_value": ("measured", "측정값"),
    "kpi_verdict": ("verdict", "판정"),
    "kpi_samples": ("of", "표본"),
    "kpi_method": ("how", "측정 방법"),
    "basis_traces": ("from the presses' traces", "누름 기록 기준"),
    "basis_log": (
        "from the server's log alone: presses that never reached it are missing",
        "서버 기록만 기준: 서버에 닿지 못한 누름은 빠져 있음",
    ),
    "chart_hours": ("Busy hours: minutes spoken by hour of the day", "시간대별 통화 시간(분)"),
    "chart_days": ("Minutes spoken by day", "일별 통화 시간(분)"),
    "chart_sessions": ("Sessions by day", "일별 세션 수"),
    "chart_users": ("Minutes spoken, the twenty who spoke most", "통화 시간(분), 상위 20명"),
    "usage": ("Usage per vehicle", "차량별 사용량"),
    "user": ("user", "사용자"),
    "name": ("name", "이름"),
    "user_bursts": ("bursts", "발언"),
    "user_talk": ("spoken", "통화"),
    "user_denied": ("denied", "거절"),
    "user_joins": ("joins", "참여"),
    "user_emergencies": ("emergencies", "비상"),
    "user_heartbeats": ("heartbeats lost", "하트비트 누락"),
    "user_links": ("links lost", "연결 끊김"),
    "user_channel": ("min in channel", "채널(분)"),
    "user_joined": ("min on Agora", "Agora(분)"),
    "total": ("all", "합계"),
    "counts": ("What happened", "발생 내역"),
    "what": ("what", "내용"),
    "count": ("count", "횟수"),
    "granted": ("presses granted", "허가된 누름"),
    "denied": ("presses denied", "거절된 누름"),
    "revoked": ("floor taken away", "발언권 회수"),
    "ended": ("bursts ended", "발언 종료"),
    "cleaned": ("cleaned", "정리됨 (Cleaner)"),
    "heartbeats_lost": ("heartbeats lost", "하트비트 누락"),
    "links_lost": ("links lost", "연결 끊김"),
    "alerts": ("alerts of devices", "장치 경보"),
    "emergencies": ("emergencies", "비상"),
    "enrolled": ("units enrolled", "등록된 장치"),
    "shut_out": ("users revoked", "차단된 사용자"),
    "unsound": ("Bursts not recorded as they must be", "정합성에 어긋난 발언"),
    "when": ("when", "시각"),
    "burst": ("burst", "발언 번호"),
    "why_late": ("ended too late", "종료가 늦음"),
    "why_open": ("never ended", "종료 기록 없음"),
    "why_joins": ("joins and leavings differ", "참여와 이탈 불일치"),
    "cost": ("Agora minutes and cost", "Agora 사용량 및 비용"),
    "cost_channel": ("in the channel, over either voice", "채널 참여 (모든 음성 경로)"),
    "cost_joined": ("joined to Agora", "Agora 참여"),
    "cost_always": ("if always joined", "상시 참여 시"),
    "cost_minutes": ("minutes", "분"),
    "cost_saving": ("saved: {saving}", "절감: {saving}"),
    "cost_no_agora": (
        "nobody was joined to Agora; had all voice been Agora's, saved: {saving}",
        "Agora 참여 없음, 모든 음성이 Agora였다면 절감: {saving}",
    ),
    "cost_assumed": (
        "US$ {price} for 1000 minutes is an assumption; what applies is in the contract.",
        "1000분당 US$ {price}는 가정값이며 실제 단가는 계약을 따릅니다.",
    ),
    "checklist": ("Checklist", "점검표"),
    "check_done": ("checked", "확인"),
    "check_note": ("remarks", "비고"),
    "check_by": ("Name, date, signature:", "점검자, 날짜, 서명:"),
    "check_sessions": ("number of sessions", "PTT 세션 수 확인"),
    "check_errors": ("error rate (< 0.1%)", "에러율 체크 (< 0.1%)"),
    "check_response": ("average response (< 100 ms)", "평균 응답시간 확인 (< 100ms)"),
    "check_cleaner": ("what the cleaner removed", "Stale Session Cleaner 로그 검토"),
    "check_heartbeats": ("part of the heartbeats that did not come", "Heartbeat 실패율 분석"),
    "beats_missing": ("{part} of {due}", "{due}회 중 {part}"),
    "check_cost": ("Agora's minutes and cost", "Agora 사용량 및 비용 리뷰"),
    "check_performance": ("the whole system's performance: targets met", "전체 시스템 성능 리포트: 달성한 목표"),
    "check_feedback": ("drivers' feedback collected, improvements found", "사용자 피드백 수집 및 개선점 도출"),
    "check_security": (
        "security: updates, certificates, revoked users and enrolments looked through",
        "보안 감사 및 업데이트: 인증서, 차단된 사용자, 등록 내역 확인",
    ),
    "future": (
        "{day} is in the future: there is nothing to report -> choose a day up to {today}",
        "{day}은(는) 미래의 날짜입니다: 보고할 내용이 없습니다 -> {today}까지의 날짜를 고르세요",
    ),
    "no_office": (
        "the store has no office {office} -> ptt-dispatch status lists them",
        "저장소에 사무소 {office}이(가) 없습니다 -> ptt-dispatch status 로 확인하세요",
    ),
    "no_offices": (
        "the store has no office yet: there is nothing to report",
        "저장소에 사무소가 아직 없습니다: 보고할 내용이 없습니다",
    ),
    "up_to_date": ("all reports are there", "모든 보고서가 있습니다"),
}

_CAUSES: dict[str, tuple[str, str]] = {
    DenyCause.ANOTHER_HAS_PERMISSION: ("somebody was speaking", "다른 사용자가 통화 중"),
    DenyCause.INTERNAL_ERROR: ("fault of the server", "서버 오류"),
    DenyCause.ONLY_PARTICIPANT: ("nobody else there", "다른 참여자 없음"),
    DenyCause.RETRY_AFTER: ("too soon again", "잠시 후 다시 시도"),
    DenyCause.RECEIVE_ONLY: ("may only listen", "수신 전용"),
    DenyCause.NO_RESOURCES: ("office full", "사무소 정원 초과"),
    DenyCause.QUEUE_FULL: ("too many waiting", "대기 초과"),
    DenyCause.NOT_ADMITTED: ("not admitted", "허용되지 않음"),
    RevokeCause.BURST_TOO_LONG: ("spoke too long", "통화 시간 초과"),
    RevokeCause.NO_PERMISSION: ("no permission", "권한 없음"),
    RevokeCause.PREEMPTED: ("higher priority", "우선순위에 밀림"),
    Ended.RELEASED: ("released", "정상 종료"),
    Ended.LIMIT: ("limit", "시간 제한"),
    Ended.LOST: ("lost", "연결 끊김"),
    Ended.CLEANED: ("cleaned", "정리됨"),
    Ended.SUPERSEDED: ("pressed again", "다시 누름"),
    "stale_floor": ("stale floor", "남은 발언권"),
    "stale_session": ("stale session", "남은 세션"),
    "stale_participant": ("stale participant", "남은 참여자"),
    "floor": ("of a speaker", "발언 중"),
    "member": ("of a member", "구성원"),
    "other": ("other", "기타"),
    "unknown": ("unknown", "알 수 없음"),
}

CHECKS: dict[Span, tuple[str, ...]] = {
    Span.DAY: ("check_sessions", "check_errors", "check_response"),
    Span.WEEK: ("check_cleaner", "check_heartbeats", "check_cost"),
    Span.MONTH: ("check_performance", "check_feedback", "check_security"),
}
"""The plan's checklists (12.2)."""


def say(key: str, lang: str, **fields: object) -> str:
    """Give the words for `key`, filled in."""
    return _TEXT[key][lang == "ko"].format(**fields)


def cause(key: str, lang: str) -> str:
    """Give a cause or reason in words, or as it is in the log where it has none."""
    return _CAUSES[key][lang == "ko"] if key in _CAUSES else key


def length(seconds: float | None, lang: str) -> str:
    """Give a duration for people: `1 h 02 min`, `3 min 20 s`, `9.2 s`."""
    if seconds is None:
        return "-"
    hour, minute, second = ("시간", "분", "초") if lang == "ko" else (" h", " min", " s")
    if seconds < 60:
        return f"{seconds:.1f}{second}"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}{minute} {whole % 60:02}{second}"
    return f"{whole // 3600}{hour} {whole // 60 % 60:02}{minute}"
