"""What the call manager's console says, in English and Korean: its frame's labels, and what its script tells."""

from __future__ import annotations

from typing import Final

_TEXT: Final[dict[str, tuple[str, str]]] = {
    # --- before it runs
    "begin": ("Switch the radio on", "무전 켜기"),
    "begin_help": (
        "Opens the microphone and the loudspeaker: a browser allows both only after a click. Nothing is sent unless "
        "you hold the button.",
        "마이크와 스피커를 켭니다. 브라우저는 클릭한 뒤에만 이를 허용합니다. "
        "버튼을 누르고 있을 때만 음성이 전송됩니다.",
    ),
    # --- the button
    "talk": ("Talk", "송신"),
    "ptt_idle": ("Hold to talk", "누르고 말하기"),
    "ptt_listens": ("You may listen only", "수신 전용입니다"),
    "ptt_asking": ("Asking…", "요청 중…"),
    "ptt_queued": ("Waiting: place {count}", "대기 {count}번째"),
    "ptt_talking": ("ON AIR", "송신 중"),
    "ptt_unheard": ("NOT HEARD", "전달 안 됨"),
    "ptt_ending": ("Sending the last words…", "마지막 음성 전송 중…"),
    "ptt_denied": ("Not granted: let go", "거절됨: 놓으세요"),
    "ptt_revoked": ("Taken back: let go", "회수됨: 놓으세요"),
    "ptt_failed": ("Failed: let go", "실패: 놓으세요"),
    "ptt_off": ("No connection", "연결 안 됨"),
    "ptt_key": ("or hold {key} anywhere on this page", "또는 이 페이지에서 {key} 키를 누르고 있기"),
    "ptt_no_key": ("no key is set", "지정된 키 없음"),
    "remaining": ("{seconds} s left", "남은 시간 {seconds}초"),
    "remaining_near": ("{seconds} s left: come to an end", "{seconds}초 남음: 마무리하세요"),
    "priority": ("Priority", "우선순위"),
    "priority_normal": ("normal", "일반"),
    "priority_high": ("high", "우선"),
    "priority_emergency": ("emergency", "비상"),
    # --- who speaks, who heard
    "floor": ("Channel", "채널"),
    "floor_idle": ("Nobody speaks", "발언자 없음"),
    "floor_mine": ("You are speaking", "내가 발언 중"),
    "floor_speaks": ("{name} is speaking", "{name} 발언 중"),
    "floor_since": ("for {elapsed}", "{elapsed}째"),
    "floor_session": ("the session is open", "세션 열림"),
    "heard": ("Your last words were heard by {by} of {of}", "내 발언: {of}명 중 {by}명이 들음"),
    "heard_none": ("Nobody was there to hear your last words", "내 발언을 들을 참여자가 없었습니다"),
    # --- sound
    "sound": ("Sound", "소리"),
    "level": ("Microphone", "마이크 입력"),
    "volume": ("Loudspeaker", "스피커 음량"),
    "volume_zero": ("muted: what comes counts as not heard", "음소거: 들은 것으로 세지 않음"),
    "key": ("Key to hold", "송신 키"),
    "key_none": ("none", "없음"),
    "key_space": ("Space", "스페이스"),
    "key_control": ("right Ctrl", "오른쪽 Ctrl"),
    "key_shift": ("right Shift", "오른쪽 Shift"),
    "clean": ("Take out noise and even out the level", "잡음 제거와 음량 자동 조절"),
    "headset": ("I wear a headset: tones may sound while I talk", "헤드셋 사용: 말하는 동안에도 알림음 허용"),
    "agora_trouble": (
        "Agora is not used, voice goes over MQTT ({why})",
        "Agora를 사용하지 않고 MQTT로 음성을 보냅니다 ({why})",
    ),
    # --- people
    "members": ("Members", "구성원"),
    "members_none": ("Nobody is there.", "참여자가 없습니다."),
    "member_in": ("in the channel", "채널 참여"),
    "state_online": ("online", "접속"),
    "state_sleeping": ("sleeping", "대기(시동 꺼짐)"),
    "state_offline": ("offline", "종료"),
    "state_lost": ("lost", "연결 끊김"),
    "bursts": ("Last talks", "최근 발언"),
    "bursts_none": ("Nobody has spoken yet.", "아직 발언이 없습니다."),
    "col_time": ("Time", "시각"),
    "col_name": ("Name", "이름"),
    "col_length": ("Length", "길이"),
    "col_heard": ("Heard by", "청취"),
    "of": ("{by} of {of}", "{of}명 중 {by}명"),
    "seconds": ("{value} s", "{value}초"),
    "speaking": ("speaking", "발언 중"),
    # --- emergencies
    "emergencies": ("Emergencies", "비상"),
    "emergencies_none": ("No emergency.", "비상 상황이 없습니다."),
    "emergency_row": ("{name}: EMERGENCY since {time}", "{name}: {time}부터 비상"),
    "emergency_clear": ("Clear", "해제"),
    "emergency_sure": (
        "Clear the emergency of {name}? Its driver is told that the office has cleared it.",
        "{name}의 비상을 해제할까요? 운전자에게 사무소가 해제했다고 알려집니다.",
    ),
    "emergency_yes": ("Clear the emergency", "비상 해제"),
    "emergency_no": ("Leave it", "그대로 두기"),
    "cleared_wait": ("{name} is being asked…", "{name}에 요청 중…"),
    "cleared_ok": ("{name}: the emergency is cleared.", "{name}: 비상이 해제되었습니다."),
    "cleared_not": ("{name} did not clear it: {what}", "{name}에서 해제하지 못했습니다: {what}"),
    # --- the line, and what is wrong
    "line_off": ("The radio is off.", "무전이 꺼져 있습니다."),
    "line_connecting": ("Connecting to the office…", "사무소에 연결하는 중…"),
    "line_up": ("Connected: {name}", "연결됨: {name}"),
    "line_voice": (
        "Connected, but voice has no connection: trying again.",
        "연결되었으나 음성 연결이 없습니다. 다시 연결하는 중.",
    ),
    "line_lost": (
        "The connection to the office is cut since {time}: trying again. Nobody hears you, and you hear nobody.",
        "{time}부터 사무소 연결이 끊겼습니다. 다시 연결하는 중이며, 송수신이 되지 않습니다.",
    ),
    "line_refused": ("The office does not let this console in.", "사무소가 이 콘솔의 연결을 거부했습니다."),
    "line_closed": ("This console is off the air.", "이 콘솔은 연결되어 있지 않습니다."),
    "elsewhere": (
        "Your console is in use in another window since {time}: this one neither hears nor talks.",
        "{time}부터 다른 창에서 사용 중입니다. 이 창은 송수신하지 않습니다.",
    ),
    "elsewhere_use": ("Use it here", "여기서 사용"),
    "signed_out": ("Your session is over: sign in again.", "로그인이 만료되었습니다. 다시 로그인하세요."),
    "sign_in": ("Sign in", "로그인"),
    "again": ("Try again", "다시 시도"),
    "no_login": ("The office gives no login for the radio: {text}", "무전 접속 정보를 받지 못했습니다: {text}"),
    "no_answer": ("the office's web server does not answer", "웹 서버가 응답하지 않습니다"),
    "sound_suspended": (
        "The browser holds the sound back: you hear nobody.",
        "브라우저가 소리를 막고 있어 들리지 않습니다.",
    ),
    "sound_on": ("Switch the sound on", "소리 켜기"),
    "sound_unsupported": (
        "This browser cannot code speech (WebCodecs Opus, AudioWorklet). Use a current Chrome or Edge, over https.",
        "이 브라우저는 음성 코덱(WebCodecs Opus, AudioWorklet)을 지원하지 않습니다. "
        "최신 Chrome 또는 Edge를 https로 사용하세요.",
    ),
    "sound_failed": ("The sound does not start: {text}", "소리를 시작할 수 없습니다: {text}"),
    "mic_denied": (
        "The microphone is not allowed: you hear, and cannot talk. Click the lock beside the address, allow the "
        "microphone, and try again.",
        "마이크가 차단되어 듣기만 됩니다. 주소창의 자물쇠를 눌러 마이크를 허용한 뒤 다시 시도하세요.",
    ),
    "mic_missing": (
        "There is no microphone: you hear, and cannot talk. Plug one in; it is taken up by itself.",
        "마이크가 없어 듣기만 됩니다. 연결하면 자동으로 사용합니다.",
    ),
    "mic_lost": (
        "The microphone is gone or in use by another program: plug it in again or close that program.",
        "마이크가 빠졌거나 다른 프로그램이 사용 중입니다. 다시 연결하거나 그 프로그램을 닫으세요.",
    ),
    "mic_unsupported": (
        "This browser cannot code speech for the radio: use a current Chrome or Edge.",
        "이 브라우저는 무전 음성을 만들 수 없습니다. 최신 Chrome 또는 Edge를 사용하세요.",
    ),
    "mic_failed": ("The microphone does not start: try again.", "마이크를 시작할 수 없습니다. 다시 시도하세요."),
    "mic_silent": (
        "Nothing at all comes out of the microphone: is it muted, at the headset or in the system's settings?",
        "마이크에서 아무 소리도 나지 않습니다. 헤드셋이나 시스템 설정에서 음소거되어 있는지 확인하세요.",
    ),
}

_TOLD: Final[dict[str, tuple[str, str]]] = {
    "granted": ("You are on the air.", "말씀하세요."),
    "denied": ("{name} is speaking: {remaining} at most.", "{name} 발언 중입니다. 최대 {remaining}."),
    "queue full": ("{name} is speaking, and the queue is full.", "{name} 발언 중이며 대기열이 가득 찼습니다."),
    "emergency going on": ("An emergency call of {name} is going on: {remaining} at most.",
                        "{name}의 비상 통화 중입니다. 최대 {remaining}."),
    "office full": ("The office has no room for this talk: try again.", "사무소에 자리가 없습니다. 다시 시도하세요."),
    "refused": ("The office refused: wait a moment and press again.", "사무소가 거절했습니다. 잠시 뒤 다시 누르세요."),
    "not allowed": ("Your role may only listen.", "듣기 전용 권한입니다."),
    "not admitted": ("The office does not admit this user (any more).", "사무소가 이 사용자를 허용하지 않습니다."),
    "queued": ("You wait: place {count}. Keep holding.", "대기 {count}번째입니다. 계속 누르고 계세요."),
    "turn came": ("Your turn: you are on the air.", "차례가 되었습니다. 말씀하세요."),
    "no connection": ("No connection to the office: nobody heard that.", "사무소에 연결되지 않아 전달되지 않았습니다."),
    "no answer": ("The office does not answer: press again.", "사무소가 응답하지 않습니다. 다시 누르세요."),
    "no microphone": ("There is no microphone.", "마이크가 없습니다."),
    "no voice": ("Voice has no connection.", "음성 연결이 없습니다."),
    "cancelled": ("Let go before the answer: nothing was sent.", "응답 전에 놓아 전송되지 않았습니다."),
    "talk ended": ("Your talk is over.", "송신이 끝났습니다."),
    "limit near": ("Your time is nearly over: {remaining} left.", "시간이 거의 끝났습니다: {remaining}."),
    "limit reached": ("Time is over: let go, and press again to go on.",
                         "시간이 끝났습니다. 놓았다가 다시 누르세요."),
    "preempted": ("A call of higher priority took over.", "우선 통화가 시작되어 송신이 중단되었습니다."),
    "revoked": ("The office took the floor back.", "사무소가 발언권을 회수했습니다."),
    "floor lost": ("The floor is lost: let go and press again.", "발언권을 잃었습니다. 놓았다가 다시 누르세요."),
    "not heard": ("Nobody hears you now: wait.", "지금은 전달되지 않습니다. 기다리세요."),
    "heard again": ("You are heard again.", "다시 전달됩니다."),
    "heard by": ("{count} heard you.", "{count}명이 들었습니다."),
    "heard unknown": ("Who heard you is not known.", "누가 들었는지 알 수 없습니다."),
    "nobody heard": ("Nobody heard you.", "아무도 듣지 못했습니다."),
    "nobody there": ("Nobody else is there.", "다른 참여자가 없습니다."),
    "link lost": ("The connection is cut.", "연결이 끊겼습니다."),
    "link back": ("The connection is back.", "다시 연결되었습니다."),
    "let go": ("Let go of the button for a moment.", "버튼을 잠시 놓으세요."),
    "emergency": ("EMERGENCY: {name}", "비상: {name}"),
    "emergency ended": ("The emergency of {name} is over.", "{name}의 비상이 끝났습니다."),
}  # fmt: skip
"""What is told to a dispatcher, by the engine's word (TOLD of schemas.js); of others nothing is said."""


def console_text(key: str, lang: str) -> str:
    """Give a text of the page's frame."""
    return _TEXT[key][lang == "ko"]


def console_words(lang: str) -> dict[str, str]:
    """Give all that the page's script says, unfilled; `told_...` for what happened, blanks as `_`."""
    at = int(lang == "ko")
    said = {key: both[at] for key, both in _TEXT.items()}
    told = {f"told_{word.replace(' ', '_')}": both[at] for word, both in _TOLD.items()}
    return said | told
