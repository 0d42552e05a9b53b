"""The words of the live view, in English and Korean."""

from __future__ import annotations

LANGS = ("en", "ko")
"""Languages that `--lang` takes."""

_WORDS: dict[str, tuple[str, str]] = {
    "connected": ("connected", "연결됨"),
    "connecting": ("connecting", "연결하는 중"),
    "not_connected": ("NOT CONNECTED for {0}", "연결 안 됨, {0}째"),
    "taken_over": (
        "another `ptt watch` logged in as {0}, and an identity is one connection's: this one ends",
        "다른 `ptt watch`가 {0}(으)로 접속했습니다. 한 계정은 한 연결만 쓸 수 있어 이 화면은 끝납니다",
    ),
    "cmd_broker_silent": ("the broker {0} does not answer", "브로커 {0}이(가) 응답하지 않습니다"),
    "cmd_not_allowed": (
        "the broker does not let this login ask: a technician's, manager's or administrator's is needed ({0})",
        "이 계정으로는 명령할 수 없습니다. 정비사, 관리자 계정이 필요합니다 ({0})",
    ),
    "cmd_no_answer": ("{0} is {1}, but does not answer", "{0}: {1} 상태이지만 응답하지 않습니다"),
    "cmd_away": ("{0} is {1}: nobody is there to answer", "{0}: {1} 상태라 응답할 수 없습니다"),
    "cmd_away_emergency": (
        "a unit that is gone for good: at the office, `ptt-dispatch device clear-alerts {0}`",
        "돌아오지 못할 단말기라면 사무소에서 `ptt-dispatch device clear-alerts {0}`",
    ),
    "cmd_unknown": ("unknown here", "알 수 없는"),
    "stale": ("what is shown is stale", "아래 내용은 끊기기 전의 것입니다"),
    "summary": ("offices {0}  online {1}/{2}  alerts {3}", "사무소 {0}  접속 {1}/{2}  경보 {3}"),
    "bad": ("bad {0}", "잘못된 메시지 {0}"),
    "nothing": ("nothing is known of any office yet", "아직 알려진 사무소가 없습니다"),
    "no_session": ("no session known", "세션 정보 없음"),
    "speaking": ("SPEAKING", "발언 중"),
    "open": ("OPEN, nobody speaks", "열림, 발언자 없음"),
    "idle": ("idle", "대기"),
    "burst": ("burst {0}", "발언 {0}"),
    "last": ("last {0}", "마지막 {0}"),
    "session": ("session {0}", "세션 {0}"),
    "for": ("for {0}", "{0}째"),
    "participants": ("in channel {0}", "채널 참여 {0}"),
    "members": ("members", "구성원"),
    "state": ("state", "상태"),
    "channel": ("channel", "채널"),
    "since": ("since", "경과"),
    "name": ("name", "이름"),
    "device": ("device", "장치"),
    "bursts": ("bursts", "발언"),
    "start": ("start", "시작"),
    "length": ("length", "길이"),
    "who": ("who", "발언자"),
    "how": ("how it ended", "끝난 까닭"),
    "going_on": ("going on", "진행 중"),
    "in": ("in", "참여"),
    "mend": ("mend: {0}", "조치: {0}"),
    "more": ("... {0} more lines: j and k scroll", "... {0}줄 더 있음: j와 k로 이동"),
    "keys": ("q quits", "q 끝내기"),
    "online": ("online", "접속"),
    "sleeping": ("sleeping", "대기 모드"),
    "offline": ("offline", "꺼짐"),
    "lost": ("lost", "끊김"),
    "U: pending Request": ("asks for the floor", "발언권 요청 중"),
    "U: queued": ("queued", "대기열"),
    "U: has permission": ("has the floor", "발언권 있음"),
    "U: pending Release": ("releases the floor", "발언권 반납 중"),
    "keyed": ("keyed", "버튼 누름"),
    "heard": ("heard by {0} of {1}", "{1}명 중 {0}명이 들음"),
    "voice_is": ("VOICE {0}", "음성 장애({0})"),
    "transmitter_muted": ("MUTED BY THE OFFICE", "송신 차단됨"),
    "parking": ("ignition off", "시동 꺼짐"),
    "waking": ("waking", "깨어나는 중"),
    "shutting_down": ("shutting down", "종료 중"),
    "undervoltage": ("UNDERVOLTAGE", "전압 부족"),
    "slowed_down": ("SLOWED DOWN", "속도 저하"),
    "measured": ("last seen", "마지막 상태"),
    "ago": ("{0} ago", "{0} 전"),
    "no_microphone": ("NO MICROPHONE", "마이크 없음"),
    "no_speaker": ("NO SPEAKER", "스피커 없음"),
    "no_voice_link": ("NO VOICE LINK", "음성 연결 없음"),
    "released": ("released", "끝맺음"),
    "limit": ("time limit", "시간 제한"),
    "preempted": ("pre-empted", "우선 발언에 밀림"),
    "cleaned": ("cleaned up", "정리됨"),
    "superseded": ("superseded", "대체됨"),
    "normal": ("normal", "보통"),
    "high": ("high", "높음"),
    "emergency": ("EMERGENCY", "긴급"),
    "emergencies_more": ("{0} more emergencies", "긴급 {0}건 더 있음"),
    "warning": ("WARNING", "주의"),
    "critical": ("CRITICAL", "심각"),
}


class Words:
    """One language's words: `words("for", "12s")`; a word that is not known is given back as it is."""

    def __init__(self, lang: str) -> None:
        if lang not in LANGS:
            raise ValueError(f"language {lang!r}: one of {', '.join(LANGS)}")
        self._index = LANGS.index(lang)

    def __call__(self, key: str, *values: object) -> str:
        """Give the word, its {0}, {1} ... filled in."""
        known = _WORDS.get(key)
        return key if known is None else known[self._index].format(*values)
