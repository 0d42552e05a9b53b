"""What a driver is to understand by each light, sound and vibration, in Korean and English: the words of the card."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.core.indicators import Beep, Colour, Vibration
from gateway.core.told import Told
from gateway.core.words import Look
from protocol.worker import Sound


class Words(Struct, frozen=True):
    """The same in both languages."""

    ko: str
    en: str


TALK: Final = (
    Words("버튼을 누르고 계세요.", "Hold the button down."),
    Words("한 번 진동하고 불이 빨간색이면 말씀하세요.", "One push and a red light: speak."),
    Words("말이 끝나면 버튼을 놓으세요.", "Let go when you have finished."),
    Words(
        "진동이 여러 번이면 보내지지 않습니다. 놓았다가 다시 누르세요.",
        "Several pushes: nobody hears you. Let go, press again.",
    ),
)
EMERGENCY: Final = (
    Words(
        "긴급 버튼을 1초 동안 누르고 계세요. 하얀 불이 켜지고 계속 떨립니다.",
        "Hold the emergency button for a second: the light is white, it trembles.",
    ),
    Words(
        "강하게 진동하면 손을 떼고, 빨간 불이 켜지면 말씀하세요.",
        "A strong push: let go. When the light is red, speak; hold nothing.",
    ),
    Words(
        "잘못 눌렀으면 곧바로 짧게 다시 누르세요. 취소됩니다.",
        "By mistake? Press it briefly at once: it is taken back.",
    ),
    Words("할 말이 끝났으면 짧게 한 번 누르세요.", "When all is said, press it briefly: your turn ends."),
    Words(
        "동료의 긴급 통화: 파란 불이 빠르게 깜빡이고 위잉 위잉 위잉! 들으세요.",
        "A colleague's emergency: fast blue light, whoop-whoop-whoop. Listen.",
    ),
    Words(
        "긴급 알림은 사무실이 해제할 때까지 유지됩니다.",
        "The alarm stays on until the office clears it.",
    ),
)
OTHERS: Final = (
    Words(
        "재생 버튼 짧게: 지난 통화 다시 듣기. 한 번 더: 그 앞의 통화.",
        "Replay button, briefly: the last talk again. Once more: the one before.",
    ),
    Words("재생 버튼 1초: 몇 명이 들었는지.", "Replay for a second: how many heard you."),
    Words("전화 통화 중에는 무전을 보낼 수 없습니다.", "No radio during a telephone call."),
    Words(
        "길 안내 중: 계속 누르고, 안내가 끝난 뒤 말씀하세요.",
        "Navigation speaks: keep holding, speak after it.",
    ),
    Words("시동을 끄면 잠듭니다. 누르면 깨어납니다.", "Ignition off: it sleeps. A press wakes it."),
)
HEADS: Final = {
    "title": Words("무전기 카드", "Radio card"),
    "emergency": Words("긴급", "Emergency"),
    "talk": Words("말하기", "To talk"),
    "others": Words("그 밖에", "Also"),
    "lights": Words("불빛", "Light"),
    "sounds": Words("소리", "Sound"),
    "beeps": Words("부저", "Buzzer"),
    "events": Words("진동", "Vibration"),
}
COLOURS: Final[dict[Colour, Words]] = {
    Colour.OFF: Words("꺼짐", "dark"),
    Colour.RED: Words("빨강", "red"),
    Colour.GREEN: Words("초록", "green"),
    Colour.BLUE: Words("파랑", "blue"),
    Colour.AMBER: Words("노랑", "amber"),
    Colour.WHITE: Words("하양", "white"),
}
STEADY: Final = Words("켜짐", "steady")
FLASHES: Final = Words("짧게 반짝임", "short flashes")
BLINKS: Final = Words("깜빡임", "blinking")
SLOWLY: Final = Words("아주 천천히 깜빡임", "very slow blinking")
SELDOM: Final = Words("5초에 한 번 반짝임", "a flash every 5 seconds")
FLICKERS: Final = Words("빠르게 깜빡임", "fast blinking")
WINKS: Final = Words("잠깐씩 꺼짐", "goes out briefly")
SAID_ONLY: Final = Words("말로만 알림", "Told by voice alone")

LOOKS: Final[dict[Look, Words]] = {
    Look.STARTING: Words("켜지는 중", "Starting"),
    Look.NO_LINK: Words("연결 없음: 저절로 다시 이어짐", "No connection: it comes back by itself"),
    Look.NOT_ENROLLED: Words("등록 안 됨·정지됨: 사무실에 문의", "Not enrolled or revoked: call the office"),
    Look.NO_VOICE: Words("마이크나 스피커 고장: 정비", "Microphone or speaker fails: mend it"),
    Look.READY: Words("준비됨", "Ready"),
    Look.LISTENING: Words("동료가 말하는 중", "A colleague speaks"),
    Look.REPLAYING: Words("지난 통화를 다시 듣는 중", "An earlier talk is played again"),
    Look.ASKING: Words("묻는 중: 아직 말하지 마세요", "Asking: do not speak yet"),
    Look.WAITING: Words("순서 대기: 계속 누르고 계세요", "In the queue: keep holding"),
    Look.TALKING: Words("내 말이 나가는 중", "You are heard"),
    Look.ENDING: Words("5초 안에 끝남: 마무리하세요", "Ends within 5 seconds: come to an end"),
    Look.MUTED: Words("내 말이 나가지 않음", "You are not heard"),
    Look.HOLDING: Words("긴급 버튼: 계속 누르세요", "Emergency button: keep holding"),
    Look.EMERGENCY: Words("동료의 긴급 통화", "A colleague's emergency"),
    Look.PARKED: Words("시동 꺼짐: 누르면 깨어남", "Ignition off: a press wakes it"),
    Look.IDENTIFY: Words("사무실이 찾는 단말기", "The office looks for this unit"),
}
VIBRATIONS: Final[dict[Vibration, Words]] = {
    Vibration.START_SUCCESS: Words("짧게 한 번: 말하세요, 됩니다", "One short push: speak, it works"),
    Vibration.START_FAIL: Words("짧게 두 번: 안 됩니다", "Two short ones: it does not work"),
    Vibration.SESSION_NOTIFICATION: Words("부드럽고 길게 한 번: 알림", "One long soft push: news"),
    Vibration.HOLD: Words("잔진동: 말이 나가는 중", "Faint ticks: you are on the air"),
    Vibration.COUNTING: Words("계속 떨림: 긴급 버튼을 계속", "A tremble: keep holding emergency"),
    Vibration.EMERGENCY: Words("길고 강하게 세 번: 긴급", "Three long strong ones: emergency"),
    Vibration.YOUR_TURN: Words("짧게, 길게: 내 차례, 말하세요", "Short, long: your turn, speak"),
    Vibration.DENIED: Words("길게 한 번, 짧게 두 번: 거절", "One long, two short: denied"),
}
SOUNDS: Final[dict[Sound, Words]] = {
    Sound.START_SUCCESS: Words("말할 수 있음", "You may speak"),
    Sound.START_FAIL: Words("안 됨", "It does not work"),
    Sound.END: Words("내 말이 끝남", "Your turn has ended"),
    Sound.SESSION_JOIN: Words("대화 시작", "A talk begins"),
    Sound.SESSION_LEAVE: Words("대화 끝", "The talk has ended"),
    Sound.SOMEONE_SPEAKING: Words("동료가 말하기 시작", "A colleague begins to speak"),
    Sound.EMERGENCY: Words("동료의 긴급 통화", "A colleague's emergency"),
}
BEEPS: Final[dict[Beep, Words]] = {
    Beep.OK: Words("높게 한 번: 됩니다", "One high: it works"),
    Beep.FAIL: Words("낮게 두 번: 안 됩니다", "Two low: no"),
    Beep.END: Words("길게 한 번: 시간 종료", "One long: time is up"),
}
EVENTS: Final[dict[Told, Words]] = {
    Told.GRANTED: Words("말하세요", "Speak now"),
    Told.DENIED: Words("다른 사람이 말하는 중: 잠시 뒤 다시", "Somebody else speaks: try again shortly"),
    Told.QUEUE_FULL: Words("대기열이 가득 참: 잠시 뒤 다시", "The queue is full: try again shortly"),
    Told.EMERGENCY_ON: Words("긴급 통화 중: 듣고 기다리세요", "An emergency call: listen and wait"),
    Told.OFFICE_FULL: Words("사무실에 자리 없음: 사무실에 문의", "The office is full: call your office"),
    Told.REFUSED: Words("지금은 안 됨: 잠시 뒤 다시", "Not possible now: try again shortly"),
    Told.NOT_ALLOWED: Words("이 차량은 듣기만 함", "This vehicle may only listen"),
    Told.QUEUED: Words("순서 대기: 계속 누르고 계세요", "In the queue: keep holding"),
    Told.NO_CONNECTION: Words("연결 없음", "No connection"),
    Told.NO_ANSWER: Words("사무실 응답 없음: 다시 누르세요", "The office does not answer: press again"),
    Told.NO_MICROPHONE: Words("마이크 없음: 꽂혀 있는지 보세요", "No microphone: is it plugged in?"),
    Told.NO_VOICE: Words("음성 장치 준비 안 됨: 잠시 뒤 다시", "Voice is not ready: try again shortly"),
    Told.CANCELLED: Words("말하기가 취소됨", "Your call was called off"),
    Told.TALK_ENDED: Words("내 말이 끝남", "Your turn has ended"),
    Told.LIMIT_NEAR: Words("곧 시간 종료: 마무리하세요", "Time is nearly up: come to an end"),
    Told.LIMIT_REACHED: Words("시간 종료: 놓았다가 다시 누르세요", "Time is up: let go, press again"),
    Told.PREEMPTED: Words("더 급한 통화가 끼어듦", "A more urgent call has cut in"),
    Told.REVOKED: Words("사무실에서 중단함", "Your turn was taken back"),
    Told.FLOOR_LOST: Words("발언권을 잃음: 다시 누르세요", "The floor was lost: press again"),
    Told.NOT_HEARD: Words("말이 안 나감: 계속 누르고 기다리기", "You are not heard: keep holding, wait"),
    Told.HEARD_AGAIN: Words("다시 나감: 계속 말씀하세요", "You are heard again: go on"),
    Told.SESSION_JOINED: Words("대화 시작", "A talk begins"),
    Told.SESSION_LEFT: Words("대화 끝", "The talk has ended"),
    Told.SOMEONE_SPEAKS: Words("동료가 말하기 시작", "A colleague begins to speak"),
    Told.HEARD_BY: Words("몇 명이 들었는지 (물었을 때)", "How many heard you, when asked"),
    Told.HEARD_UNKNOWN: Words("몇 명이 들었는지 아직 모름", "How many heard you: not known yet"),
    Told.NOBODY_HEARD: Words("아무도 듣지 못함: 다시 말씀하세요", "Nobody heard you: say it again"),
    Told.NOBODY_THERE: Words("들을 사람이 없었음", "Nobody was there to hear you"),
    Told.LINK_LOST: Words("연결 끊김", "Connection lost"),
    Told.LINK_BACK: Words("다시 연결됨", "Connected again"),
    Told.BUTTON_STUCK: Words("버튼이 눌려 있음: 놓기, 그대로면 정비", "The button is stuck: let go, or mend it"),
    Told.LET_GO: Words("너무 빨리 다시 누름: 놓았다가 누르세요", "Pressed too soon: let go, press again"),
    Told.PHONE_BUSY: Words("전화 통화 중: 무전 안 됨", "A telephone call: no radio"),
    Told.PHONE_TOOK: Words("전화가 와서 말이 중단됨", "A telephone call has ended your turn"),
    Told.NAVIGATION_HOLDS: Words("길 안내 중: 계속 누르고 기다리세요", "Navigation speaks: keep holding, wait"),
    Told.NAVIGATION_TOOK: Words("길 안내가 길어 중단됨: 다시 누르세요", "Navigation spoke too long: press again"),
    Told.CONTACT_STUCK: Words("전화·길 안내 신호 고장: 정비", "Telephone or navigation wire: mend it"),
    Told.NOT_ENROLLED: Words("등록 안 됨: 사무실에 문의", "Not enrolled: call your office"),
    Told.NOT_ADMITTED: Words("교체되었거나 정지됨: 사무실에 문의", "Replaced or revoked: call your office"),
    Told.EMERGENCY_HELD: Words("긴급 버튼: 1초 동안 누르고 계세요", "Emergency button: hold it for a second"),
    Told.EMERGENCY_NOT_HELD: Words("긴급 버튼을 너무 짧게 누름", "Emergency button held too briefly"),
    Told.EMERGENCY: Words("긴급 호출: 손을 떼고 말씀하세요", "Emergency raised: let go and speak"),
    Told.EMERGENCY_CANCELLED: Words("긴급 호출 취소됨", "Emergency cancelled"),
    Told.EMERGENCY_ENDED: Words("긴급 통화 끝: 알림은 유지됨", "Emergency call over: the alarm stays on"),
    Told.EMERGENCY_CLEARED: Words("사무실이 긴급 알림을 해제함", "The office has cleared the alarm"),
    Told.EMERGENCY_FAILED: Words("긴급 통화 안 됨: 알림은 유지됨", "No emergency call: the alarm stays on"),
    Told.EMERGENCY_OFFLINE: Words("연결 없음: 되면 긴급 알림을 보냄", "No connection: the alarm goes out later"),
    Told.EMERGENCY_HEARD: Words("동료의 긴급 통화: 들으세요", "A colleague's emergency: listen"),
    Told.EMERGENCY_STUCK: Words("긴급 버튼이 눌려 있음: 정비", "The emergency button is stuck: mend it"),
    Told.TURN_CAME: Words("내 차례: 말하세요", "Your turn: speak"),
    Told.TRANSMITTER_MUTED: Words("사무실이 송신을 막음: 듣기만 됨", "Muted by the office: you only hear"),
    Told.PARKED: Words("시동 꺼짐: 대기 모드", "Ignition off: the radio sleeps"),
    Told.WAKING: Words("시동 켜짐: 다시 준비됨", "Ignition on: ready again"),
    Told.IDENTIFY: Words("사무실이 이 단말기를 찾음", "The office looks for this unit"),
    Told.REPLAY: Words("지난 통화: 누가, 언제", "An earlier talk: whose, and when"),
    Told.MISSED: Words("놓친 통화 있음: 재생 버튼", "You missed a talk: press replay"),
    Told.NOTHING_TO_REPLAY: Words("다시 들을 통화가 없음", "Nothing to play again"),
    Told.NO_REPLAY_NOW: Words("지금은 다시 들을 수 없음", "Not now: somebody speaks"),
}
SAID_ELSEWHERE: Final[dict[Told, Words]] = {
    Told.GRANTED: VIBRATIONS[Vibration.START_SUCCESS],
    Told.QUEUED: LOOKS[Look.WAITING],
    Told.TALK_ENDED: SOUNDS[Sound.END],
    Told.SESSION_JOINED: SOUNDS[Sound.SESSION_JOIN],
    Told.SESSION_LEFT: SOUNDS[Sound.SESSION_LEAVE],
    Told.SOMEONE_SPEAKS: SOUNDS[Sound.SOMEONE_SPEAKING],
    Told.PHONE_BUSY: OTHERS[2],
    Told.NAVIGATION_HOLDS: OTHERS[3],
    Told.NOT_ENROLLED: LOOKS[Look.NOT_ENROLLED],
    Told.NOT_ADMITTED: LOOKS[Look.NOT_ENROLLED],
    Told.EMERGENCY_HELD: VIBRATIONS[Vibration.COUNTING],
    Told.EMERGENCY: VIBRATIONS[Vibration.EMERGENCY],
    Told.EMERGENCY_HEARD: SOUNDS[Sound.EMERGENCY],
    Told.TURN_CAME: VIBRATIONS[Vibration.YOUR_TURN],
    Told.PARKED: LOOKS[Look.PARKED],
    Told.WAKING: LOOKS[Look.READY],
    Told.IDENTIFY: LOOKS[Look.IDENTIFY],
    Told.REPLAY: OTHERS[0],
}
"""What the printed card has no line of its own for, and where it says the same."""
