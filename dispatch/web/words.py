"""What the pages say, in English and Korean."""

from __future__ import annotations

from collections.abc import Iterable

from dispatch.web.agora_words import AGORA_TEXT
from dispatch.web.alert_words import ALERT_TEXT
from dispatch.web.press_words import PRESS_TEXT

LANGUAGES = ("ko", "en")

_TEXT: dict[str, tuple[str, str]] = {
    "brand": ("PTT office", "PTT 사무소"),
    "skip": ("To the content", "본문으로 이동"),
    "nav_office": ("Office", "현황"),
    "nav_console": ("Console", "무전 콘솔"),
    "nav_kpi": ("KPIs", "KPI"),
    "nav_history": ("History", "이력"),
    "nav_admin": ("Users and devices", "사용자·장치"),
    "nav": ("Pages", "메뉴"),
    "sign_out": ("Sign out", "로그아웃"),
    "other_language": ("한국어", "English"),
    "title_office": ("Office now", "실시간 현황"),
    "title_console": ("Call manager's console", "콜매니저 무전 콘솔"),
    "console_role": (
        "The console is for call managers: sign in as one.",
        "콘솔은 콜매니저 전용입니다. 콜매니저 계정으로 로그인하세요.",
    ),
    "console_off": (
        "This office has no console: its broker lets no browsers in ([web] websocket_port is 0).",
        "이 사무소에는 콘솔이 없습니다. 브로커가 브라우저를 받지 않습니다 ([web] websocket_port가 0).",
    ),
    "console_broker": (
        "The office's broker cannot be reached, so nobody can speak now: {why}",
        "사무소 브로커에 연결되지 않아 지금은 통화할 수 없습니다: {why}",
    ),
    "console_too_many": (
        "The console was opened too often. Try again in {seconds} s.",
        "콘솔을 너무 자주 열었습니다. {seconds}초 뒤에 다시 시도하세요.",
    ),
    "title_sign_in": ("Sign in", "로그인"),
    "title_error": ("Not possible", "처리할 수 없음"),
    "login": ("Login (region.office.user)", "로그인 ID (지역.사무소.사용자)"),
    "secret": ("Secret", "비밀번호(시크릿)"),
    "sign_in": ("Sign in", "로그인"),
    "sign_in_wrong": ("The login or its secret is not right.", "로그인 ID 또는 비밀번호가 맞지 않습니다."),
    "sign_in_role": (
        "This login is not for the dashboard: it takes an admin, call manager, monitor or technician.",
        "대시보드용 계정이 아닙니다. 관리자, 콜매니저, 모니터, 정비사 계정이 필요합니다.",
    ),
    "sign_in_wait": (
        "Too many failed tries. Try again in {seconds} s.",
        "실패가 너무 많습니다. {seconds}초 뒤에 다시 시도하세요.",
    ),
    "signed_out": ("You are signed out.", "로그아웃되었습니다."),
    "session_over": ("Your session is over: sign in again.", "세션이 끝났습니다. 다시 로그인하세요."),
    # --- cards
    "card_sessions": ("Active sessions", "활성 세션"),
    "card_participants": ("Participants", "참여자 수"),
    "card_usage": ("Used today", "오늘 사용량"),
    "card_average": ("Average session", "평균 세션"),
    "figure_minutes": ("{value} min", "{value}분"),
    "figure_seconds": ("{value} s", "{value}초"),
    # --- live state
    "line_up": ("Live", "실시간 연결됨"),
    "line_cut": (
        "The line to this page is cut since {time}: trying again. What is shown is as it was then.",
        "{time}부터 화면 연결이 끊겼습니다. 다시 연결하는 중이며, 아래는 그때의 상태입니다.",
    ),
    "broker_down": (
        "The office's broker is not reached since {time} ({why}). What is shown is as it was then.",
        "{time}부터 사무소 브로커에 연결되지 않습니다 ({why}). 아래는 그때의 상태입니다.",
    ),
    "store_down": (
        "The store cannot be read ({why}): figures of today are as of {time}.",
        "저장소를 읽을 수 없습니다 ({why}). 오늘 수치는 {time} 기준입니다.",
    ),
    "no_script": (
        "This page is filled by its script, and scripts are switched off here.",
        "이 페이지는 스크립트로 채워지는데, 스크립트가 꺼져 있습니다.",
    ),
    "sessions": ("Session", "세션"),
    "session_none": ("No session is running.", "진행 중인 세션이 없습니다."),
    "session_speaks": ("{name} is speaking", "{name} 발언 중"),
    "session_hangs": ("Session open, nobody speaks", "세션 열림, 발언자 없음"),
    "session_since": ("session for {elapsed}", "세션 {elapsed}째"),
    "members": ("Members", "구성원"),
    "members_count": ("{online} of {all} online", "{all}명 중 {online}명 접속"),
    "members_none": ("No members yet.", "아직 구성원이 없습니다."),
    "members_find": ("Find a member by a part of the name", "이름 일부로 구성원 찾기"),
    "members_more": ("{shown} of {all} shown.", "{all}명 중 {shown}명 표시."),
    "members_office": ("the office's services", "사무소 서비스"),
    "life_driving": ("on", "켜짐"),
    "life_parking": ("just off", "방금 꺼짐"),
    "life_parked": ("off", "꺼짐"),
    "life_waking": ("waking", "깨어나는 중"),
    "life_shutting_down": ("shutting down", "종료 중"),
    "why_another_has_permission": ("somebody else was speaking", "다른 사람이 발언 중"),
    "why_internal_error": ("office error", "사무소 오류"),
    "why_only_participant": ("nobody else there", "다른 참여자 없음"),
    "why_retry_after": ("too often", "너무 잦음"),
    "why_receive_only": ("listen only", "수신 전용"),
    "why_no_resources": ("no room", "자리 없음"),
    "why_queue_full": ("queue full", "대기열 가득 참"),
    "why_not_admitted": ("not admitted", "허용되지 않음"),
    "why_other": ("other", "기타"),
    "col_name": ("Name", "이름"),
    "col_state": ("State", "상태"),
    "col_channel": ("Channel", "채널"),
    "col_health": ("Health", "음성 상태"),
    "col_floor": ("Radio", "무전"),
    "col_since": ("Since", "변경 시각"),
    "state_online": ("online", "접속"),
    "state_sleeping": ("sleeping", "대기(시동 꺼짐)"),
    "state_offline": ("offline", "종료"),
    "state_lost": ("lost", "연결 끊김"),
    "state_never": ("never seen", "접속한 적 없음"),
    "gone_heartbeat_timeout": ("no sign of life", "생존 신호 없음"),
    "state_revoked": ("revoked", "차단됨"),
    "in_channel": ("in channel", "참여 중"),
    "health_ok": ("good", "정상"),
    "health_worker": ("voice process {value}", "음성 프로세스 {value}"),
    "health_capture": ("no microphone", "마이크 없음"),
    "health_playback": ("no speaker", "스피커 없음"),
    "health_link": ("no voice connection", "음성 연결 없음"),
    "keyed": ("key down", "버튼 누름"),
    "muted": ("transmitter muted", "송신 차단"),
    "speaking": ("speaking", "발언 중"),
    "focus_phone": ("in a call", "통화 중"),
    "focus_navigation": ("navigation speaks", "내비 안내 중"),
    "alerts": ("Alerts", "경보"),
    "alerts_none": ("No alerts.", "경보가 없습니다."),
    "alert_critical": ("critical", "심각"),
    "alert_warning": ("warning", "주의"),
    "bursts": ("Last bursts", "최근 발언"),
    "bursts_none": ("Nobody has spoken yet.", "아직 발언이 없습니다."),
    "col_time": ("Time", "시각"),
    "col_length": ("Length", "길이"),
    "col_ended": ("End", "종료"),
    "col_heard": ("Heard by", "청취"),
    "heard": ("{by} of {of}", "{of}명 중 {by}명"),
    "ended_released": ("released", "정상 종료"),
    "ended_limit": ("time limit", "시간 제한"),
    "ended_preempted": ("pre-empted", "우선 발언에 밀림"),
    "ended_lost": ("lost", "연결 끊김"),
    "ended_cleaned": ("cleaned", "정리됨"),
    "ended_superseded": ("superseded", "대체됨"),
    "ended_": ("speaking", "발언 중"),
    "emergency": ("emergency", "비상"),
    # --- one vehicle
    "title_vehicle": ("Vehicle {name}", "차량 {name}"),
    "vehicle_state": ("State", "상태"),
    "vehicle_info": ("Unit", "장치"),
    "vehicle_telemetry": ("Telemetry", "원격 측정"),
    "vehicle_presses": ("Answers to presses", "버튼 응답"),
    "vehicle_bursts": ("Its last bursts", "이 차량의 최근 발언"),
    "vehicle_log": ("Its log", "이 차량의 기록"),
    "vehicle_log_none": ("Nothing in the log.", "기록이 없습니다."),
    "vehicle_commands": ("Transmitter", "송신 제어"),
    "mute": ("Mute its transmitter", "송신 차단"),
    "unmute": ("Let it transmit again", "송신 차단 해제"),
    "command_ok": ("{name} answered: {what}", "{name} 응답: {what}"),
    "command_refused": ("{name} refused: {what}", "{name} 거부: {what}"),
    "command_none": (
        "{name} did not answer within {seconds} s: it may be out of reach; the command is void after {void} s.",
        "{name}이(가) {seconds}초 안에 응답하지 않았습니다. 연결이 끊겼을 수 있으며, 명령은 {void}초 뒤 무효입니다.",
    ),
    "command_failed": ("The command was not sent: {why}", "명령을 보내지 못했습니다: {why}"),
    "k_state": ("Presence", "접속"),
    "k_reason": ("Reason", "사유"),
    "k_health": ("Health", "음성 상태"),
    "k_floor": ("Floor", "발언권 상태"),
    "k_last_press": ("Last press", "마지막 버튼"),
    "k_lifecycle": ("Ignition", "시동"),
    "k_focus": ("Radio", "무전"),
    "k_voice": ("Voice over", "음성 경로"),
    "k_version": ("Version", "버전"),
    "k_board": ("Board", "보드"),
    "k_capture": ("Microphone", "마이크"),
    "k_playback": ("Speaker", "스피커"),
    "k_at": ("Measured", "측정 시각"),
    "k_uptime": ("Running for", "실행 시간"),
    "k_temperature": ("Processor", "프로세서 온도"),
    "k_supply": ("Supply", "전원"),
    "k_load": ("Load", "부하"),
    "k_memory": ("Memory free", "남은 메모리"),
    "k_disk": ("Disk free", "남은 디스크"),
    "k_rtt": ("Round trip to the broker", "브로커 왕복 시간"),
    "k_reconnects": ("Reconnects", "재연결"),
    "k_restarts": ("Voice process restarts", "음성 프로세스 재시작"),
    "k_presses": ("Presses", "버튼 횟수"),
    "k_granted": ("Granted", "허가"),
    "k_refused": ("Not granted", "불허"),
    "k_p50": ("Answer, median", "응답 시간 중앙값"),
    "k_p99": ("Answer, 99 of 100 within", "응답 시간 99%"),
    "supply_ok": ("good", "정상"),
    "supply_low": ("undervoltage now", "현재 저전압"),
    "supply_was_low": ("undervoltage since the start", "부팅 후 저전압 있었음"),
    "target_met": ("within the target of {target}", "목표 {target} 이내"),
    "target_missed": ("over the target of {target}", "목표 {target} 초과"),
    "not_known": ("not known", "알 수 없음"),
    # --- administration
    "title_admin": ("Users and devices", "사용자·장치 관리"),
    "users_find": ("Part of an ID or a name", "ID 또는 이름 일부"),
    "find": ("Find", "찾기"),
    "users_shown": ("{shown} of {all}", "{all}명 중 {shown}"),
    "page_before": ("Previous", "이전"),
    "page_after": ("Next", "다음"),
    "admin_users": ("Users of {office}", "{office} 사용자"),
    "col_user": ("Id", "ID"),
    "col_role": ("Role", "역할"),
    "col_login": ("Login", "로그인 ID"),
    "col_enrolled": ("Enrolled", "등록"),
    "col_do": ("Do", "작업"),
    "role_vehicle_gateway": ("vehicle", "차량"),
    "role_call_manager": ("call manager", "콜매니저"),
    "role_pickup_driver": ("pickup driver", "픽업 기사"),
    "role_monitor": ("monitor", "모니터"),
    "role_technician": ("technician", "정비사"),
    "role_admin": ("admin", "관리자"),
    "role_bridge": ("bridge", "브리지"),
    "enrolled_never": ("not yet", "미등록"),
    "enrolled_no": ("enrolment {number}", "{number}번째 등록"),
    "enrolled_secret": ("has a secret", "비밀번호 있음"),
    "clone_seen": ("CLONE SEEN", "복제 감지"),
    "add_user": ("Add a user or device", "사용자·장치 추가"),
    "add": ("Add", "추가"),
    "id_help": ("a-z, 0-9 and -, 32 at most", "a-z, 0-9, -, 32자 이하"),
    "code": ("Enrolment code", "등록 코드"),
    "make_code": ("Make a code", "코드 만들기"),
    "title_code": ("Enrolment code of {name}", "{name} 등록 코드"),
    "code_help": (
        "Shown this once. Type it at the unit or scan the QR code; good once, until {until}.",
        "지금 한 번만 표시됩니다. 장치에 입력하거나 QR 코드로 읽히세요. {until}까지 한 번만 쓸 수 있습니다.",
    ),
    "code_url": ("Address", "주소"),
    "code_qr": ("QR code of address and enrolment code", "주소와 등록 코드의 QR 코드"),
    "secret_once": (
        "Shown this once: keep it in a password manager.",
        "지금 한 번만 표시됩니다. 비밀번호 관리자에 보관하세요.",
    ),
    "title_secret": ("Secret of {name}", "{name} 비밀번호"),
    "rotate": ("New secret", "새 비밀번호"),
    "revoke": ("Revoke", "차단"),
    "restore": ("Restore", "차단 해제"),
    "title_revoke": ("Revoke {name}?", "{name} 차단"),
    "revoke_help": (
        "Every door shuts at once: broker, tokens, enrolment. A burst of it ends. It comes back only by a new "
        "enrolment or secret.",
        "모든 접속이 즉시 막힙니다: 브로커, 토큰, 등록. 진행 중인 발언도 끝납니다. "
        "다시 쓰려면 새 등록이나 새 비밀번호가 필요합니다.",
    ),
    "revoke_why": ("Why", "사유"),
    "revoke_own": ("You cannot revoke yourself.", "자기 자신은 차단할 수 없습니다."),
    "back": ("Back", "돌아가기"),
    "done_added": ("{name} was added.", "{name} 추가됨"),
    "done_revoked": ("{name} is revoked, and the broker's door is shut.", "{name} 차단 완료, 브로커 접속도 막힘"),
    "done_revoked_not": (
        "{name} is revoked. The broker could not be told ({why}); the floor control server shuts its door.",
        "{name} 차단됨. 브로커에 알리지 못했으며({why}), 서버가 접속을 막습니다.",
    ),
    "done_restored": (
        "{name} is restored; it needs a new enrolment or secret.",
        "{name} 차단 해제. 새 등록이나 비밀번호가 필요합니다.",
    ),
    # --- what was
    "title_kpi": ("KPIs of the plan", "계획 KPI"),
    "title_history": ("History", "이력"),
    "kpi_row": ("Figure", "지표"),
    "kpi_target": ("Target", "목표"),
    "kpi_value": ("Measured", "측정값"),
    "kpi_verdict": ("Verdict", "판정"),
    "kpi_samples": ("Samples", "표본"),
    "kpi_method": ("How it is measured", "측정 방법"),
    "day": ("Day", "날짜"),
    "day_bad": (
        "{what} is no day that can be shown: write YYYY-MM-DD, today at the latest.",
        "{what}: 볼 수 없는 날짜입니다. 오늘까지의 날짜를 YYYY-MM-DD로 쓰세요.",
    ),
    "day_empty": ("Nothing is in the log of this time.", "이 기간에는 기록이 없습니다."),
    "today": ("Today", "오늘"),
    "show": ("Show", "보기"),
    "as_table": ("As a table", "표로 보기"),
    "chart_talk": ("Minutes spoken a day", "하루 발언 시간 (분)"),
    "chart_sessions": ("Sessions a day", "하루 세션 수"),
    "chart_denied": ("Refused presses a day", "하루 불허 횟수"),
    "chart_errors": ("Error rate a day, % (target {target})", "하루 오류율, % (목표 {target})"),
    "chart_response": (
        "From the button until another member heard it, average of a day, ms (target {target})",
        "버튼부터 다른 구성원이 들을 때까지, 하루 평균, ms (목표 {target})",
    ),
    "chart_hours": ("Minutes spoken by hour of the day", "시간대별 발언 시간 (분)"),
    "use_title": ("Who spoke most", "사용자별 사용량"),
    "use_bursts": ("Bursts", "발언 수"),
    "use_minutes": ("Minutes", "발언 시간(분)"),
    "use_denied": ("Refused", "불허"),
    # --- errors
    "error_not_found": ("There is no such page here.", "그런 페이지가 없습니다."),
    "error_forbidden": ("Your role may not do this.", "이 작업을 할 권한이 없습니다."),
    "error_csrf": (
        "This form is not of your session. Go back, load the page anew and try again.",
        "이 세션의 양식이 아닙니다. 돌아가서 페이지를 새로 읽고 다시 시도하세요.",
    ),
    "error_store": (
        "The store is not available ({why}). Try again in a moment; `ptt-dispatch status` says more.",
        "저장소를 사용할 수 없습니다 ({why}). 잠시 뒤 다시 시도하세요. `ptt-dispatch status`에 자세한 내용이 있습니다.",
    ),
    "error_busy": ("Too many requests at once: try again.", "요청이 너무 많습니다. 다시 시도하세요."),
    "error_bad": ("The request is not understood: {why}", "요청을 이해할 수 없습니다: {why}"),
    "error_undone": ("Nothing was changed: {why}", "변경된 것이 없습니다: {why}"),
    "error_taken": (
        "That id is taken in this office already; revoked users keep theirs. Choose another.",
        "이 사무소에 이미 있는 ID입니다. 차단된 사용자의 ID도 다시 쓸 수 없습니다. 다른 ID를 쓰세요.",
    ),
    "error_internal": ("The service failed; its log says why.", "서비스 오류입니다. 로그에 원인이 있습니다."),
    "error_streams": ("Too many open pages.", "열린 페이지가 너무 많습니다."),
    **AGORA_TEXT,
    **ALERT_TEXT,
    **PRESS_TEXT,
}


def say(key: str, lang: str, **fields: object) -> str:
    """Give the sentence in `lang` (another language means English), filled in."""
    return _TEXT[key][lang == "ko"].format(**fields)


def raw(keys: Iterable[str], lang: str) -> dict[str, str]:
    """Give sentences unfilled, for a page's script."""
    return {key: _TEXT[key][lang == "ko"] for key in keys}


def known(key: str) -> bool:
    """Whether there is such a sentence."""
    return key in _TEXT


_LIVE = (
    *("card_", "figure_", "line_", "broker_", "store_", "session", "member", "col_", "state_", "in_", "health_"),
    *("keyed", "muted", "speaking", "focus_", "alert", "burst", "heard", "ended_", "emergency", "k_", "supply_"),
    *("target_", "not_known", "life_", "why_", "gone_"),
)
LIVE_WORDS = tuple(key for key in _TEXT if key.startswith(_LIVE))
"""Sentences that the live pages' script needs."""


def language(cookie: str | None, accept: str) -> str:
    """Choose: what was chosen on a page, else the first of ours that the browser asks for, else Korean."""
    if cookie in LANGUAGES:
        return cookie
    for part in accept[:500].lower().split(","):
        name = part.partition(";")[0].strip()[:2]
        if name in LANGUAGES:
            return name
    return "ko"
