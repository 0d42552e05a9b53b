"""Sentences of `ptt-dispatch trace`, in English and Korean."""

from collections.abc import Mapping

_TEXT: Mapping[str, tuple[str, str]] = {
    "granted": ("GRANTED: spoke as burst {burst}", "허가됨: 발언 {burst}"),
    "heard": ("heard by {by} of {of}", "{of}명 중 {by}명 청취"),
    "denied": ("DENIED: {speaker} was speaking", "거부됨: {speaker} 발언 중"),
    "left": ("at most {s:.0f} s left", "최대 {s:.0f}초 남음"),
    "someone": ("somebody", "다른 사람"),
    "no connection": ("NO CONNECTION: {link}", "연결 없음: {link}"),
    "link_span": ("the link was lost {since}-{until}", "{since}~{until} 연결 끊김"),
    "link_still": ("the link is lost since {since}", "{since}부터 연결 끊김"),
    "link_away": ("the link had been away for {s:.0f} s", "{s:.0f}초째 연결 끊김"),
    "link_cut": ("the link broke off before the answer came", "응답 전에 연결이 끊김"),
    "no answer": ("NO ANSWER: the office did not answer in time", "응답 없음: 사무소가 제때 응답하지 않음"),
    "no microphone": ("NO MICROPHONE: the unit has none that works", "마이크 없음: 작동하는 마이크가 없음"),
    "no voice": ("NO VOICE: the unit's voice was not ready", "음성 없음: 단말의 음성이 준비되지 않음"),
    "queued": ("QUEUED: it had to wait", "대기: 순서를 기다림"),
    "queue full": ("DENIED: too many were waiting", "거부됨: 대기자가 너무 많음"),
    "office full": ("DENIED: the office has as many members as it can", "거부됨: 사무소 정원 초과"),
    "emergency going on": ("DENIED: an emergency call was going on", "거부됨: 비상 통화 중"),
    "not allowed": ("DENIED: it may only listen", "거부됨: 듣기 전용"),
    "refused": ("REFUSED: the office could not grant it", "거부됨: 사무소가 허가할 수 없음"),
    "not admitted": ("NOT ADMITTED: the broker or the office lets this user in no more", "출입 불가: 차단된 사용자"),
    "not enrolled": ("NOT ENROLLED: this unit must be enrolled", "미등록: 단말을 등록해야 함"),
    "transmitter muted": ("MUTED: the office had muted its transmitter", "송신 차단: 사무소가 송신을 막음"),
    "phone busy": ("PHONE: a telephone call was going on in the cab", "통화 중: 차내 전화 통화 중"),
    "cancelled": ("LET GO before the answer came", "응답 전에 버튼을 놓음"),
    "let go": ("LET GO was due: the button was still held from the talk before", "버튼을 놓지 않고 다시 누름"),
    "button stuck": ("BUTTON STUCK: it is not believed until it was let go", "버튼 고착: 놓을 때까지 무시됨"),
    "emergency offline": ("EMERGENCY WITHOUT CONNECTION: {link}", "연결 없는 비상 호출: {link}"),
    "emergency failed": ("EMERGENCY, not granted", "비상 호출, 허가되지 않음"),
    "untold": ("NOTHING TOLD to the driver", "운전자에게 알린 것 없음"),
    "other": ("ANSWERED: {what}", "응답: {what}"),
    "log_granted": (
        "GRANTED as burst {burst}, by the log: the unit has told no trace of it",
        "허가됨: 발언 {burst} (기록에 따름, 단말의 추적 없음)",
    ),
    "log_denied": (
        "DENIED: {speaker} was speaking, by the log: the unit has told no trace of it",
        "거부됨: {speaker} 발언 중 (기록에 따름, 단말의 추적 없음)",
    ),
    "log_refused": (
        "DENIED: {cause}, by the log: the unit has told no trace of it",
        "거부됨: {cause} (기록에 따름, 단말의 추적 없음)",
    ),
    "no_press": ("{user} did not press {since}-{until}", "{user}: {since}~{until} 누름 없음"),
    "last_press": ("its last press before was at {at}", "그 전 마지막 누름: {at}"),
    "never": ("no press of it is known from before", "그 전의 누름 기록 없음"),
    "offline": (
        "it was offline since {at} ({why}): what it pressed is told when it is back",
        "{at}부터 오프라인 ({why}): 누름은 다시 연결되면 전달됨",
    ),
    "unknown": ("no member {user} is known in {office}", "{office}에 {user} 구성원 없음"),
    "no_office": ("there is no office {office} in the store", "저장소에 사무소 {office} 없음"),
    "which_office": (
        "{user} is in several offices: {offices} -> add --office",
        "{user}: 여러 사무소 {offices} -> --office",
    ),
    "error": ("±{ms} ms", "±{ms} ms"),
    "own_clock": ("by its own clock", "단말 시계 기준"),
    "s_handled": ("taken up", "처리 시작"),
    "s_asked": ("asked the office", "사무소에 요청"),
    "s_permitted": ("voice let out", "송신 시작"),
    "s_through": ("first voice frame had left", "첫 음성 송출됨"),
    "s_key_up": ("button up", "버튼 놓음"),
    "s_released": ("given back", "반납"),
    "s_heard": ("heard by {user}, ±{error} ms", "{user} 청취 시작, ±{error} ms"),
    "s_joined": ("which joined the channel in {ms} ms", "채널 참여 {ms} ms"),
    "unheard": (
        "heard by, at a moment not measured: {users}",
        "청취했으나 시각은 측정되지 않음: {users}",
    ),
    "metrics": ("metrics: {parts}", "지표: {parts}"),
    "m_session_start_ms": ("session start {value} ms", "세션 시작 {value} ms"),
    "m_token_ms": ("token made in {value:.1f} ms", "토큰 생성 {value:.1f} ms"),
    "m_join_ms": ("channel joined in {value} ms", "채널 참여 {value} ms"),
    "m_participants": ("participants {value}", "참여자 {value}명"),
    "m_heartbeat_rate": ("heartbeats {value:.1%} of the day before", "하루간 하트비트 {value:.1%}"),
    "no_burst": ("there is no burst {burst} in {office}", "{office}에 발언 {burst} 없음"),
    "s_told": ("driver told: {what}", "운전자 안내: {what}"),
}


def say(key: str, lang: str, **values: object) -> str:
    """Give a sentence in `lang` (`en` or `ko`)."""
    return _TEXT[key][lang == "ko"].format(**values)


def known(key: str) -> bool:
    """Whether there is a sentence of its own."""
    return key in _TEXT
