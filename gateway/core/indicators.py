"""How the driver is told: one table from what happened to light, vibration, buzzer, sound and sentence.

No sound goes into an open microphone: a grant is felt and seen; the worker drops what would be recorded. The table in
docs/architecture.md is generated from this one.
"""

from enum import StrEnum

from msgspec import Struct

from gateway.core.spoken import spoken_ago, spoken_name
from gateway.core.told import Told
from gateway.core.words import Look
from protocol.worker import Sound


class Vibration(StrEnum):
    """The plan's four vibration patterns, and one for a denial (hw.patterns)."""

    START_SUCCESS = "start success"
    START_FAIL = "start fail"
    SESSION_NOTIFICATION = "session notification"
    HOLD = "hold"
    COUNTING = "counting"
    EMERGENCY = "emergency"
    YOUR_TURN = "your turn"
    DENIED = "denied"


class Beep(StrEnum):
    """What the buzzer plays: it is the answer where the sound device is missing."""

    OK = "ok"
    FAIL = "fail"
    END = "end"


class Colour(StrEnum):
    """Colours of the status light."""

    OFF = "off"
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    AMBER = "amber"
    WHITE = "white"


class Light(Struct, frozen=True):
    """A colour, steady or blinking (ms on and off)."""

    colour: Colour
    on_ms: int = 0
    off_ms: int = 0


class Row(Struct, frozen=True, kw_only=True):
    """One row of the table. `ko` and `en` may hold {name}, {count}, {of} and {ago}; `urgent` sentences cut in.

    The plan's sentences are kept word for word, "PTT" as it is spoken ("피티티"); who speaks and how long comes before
    them where it is known. One is not said: "...님이 참여했습니다", of whoever joins (docs/adr/0015-who-heard-me.md).
    """

    vibration: Vibration | None = None
    beep: Beep | None = None
    sound: Sound | None = None
    ko: str = ""
    en: str = ""
    urgent: bool = False


def _fail(ko: str, en: str) -> Row:
    return Row(vibration=Vibration.START_FAIL, beep=Beep.FAIL, sound=Sound.START_FAIL, ko=ko, en=en, urgent=True)


def _denied(ko: str, en: str) -> Row:
    return Row(vibration=Vibration.DENIED, beep=Beep.FAIL, sound=Sound.START_FAIL, ko=ko, en=en, urgent=True)


TABLE: dict[Told, Row] = {
    Told.GRANTED: Row(vibration=Vibration.START_SUCCESS),
    Told.DENIED: _denied(
        "다른 사용자가 통화 중입니다. 잠시 후 다시 시도해주세요",
        "Another user is speaking. Please try again in a moment",
    ),
    Told.QUEUE_FULL: _denied(
        "대기열이 가득 찼습니다. 잠시 후 다시 시도해주세요", "The queue is full. Please try again in a moment"
    ),
    Told.EMERGENCY_ON: _denied("긴급 통화 중입니다", "An emergency call is going on"),
    Told.NOT_ALLOWED: _denied("이 차량은 듣기만 할 수 있습니다", "This vehicle may only listen"),
    Told.OFFICE_FULL: _denied(
        "사무실에 자리가 없습니다. 사무실에 문의하세요", "The office is full. Please call your office"
    ),
    Told.REFUSED: _denied(
        "지금은 말할 수 없습니다. 잠시 후 다시 시도해주세요", "You cannot speak now. Please try again in a moment"
    ),
    Told.QUEUED: Row(
        vibration=Vibration.SESSION_NOTIFICATION, ko="{count}번째로 대기 중입니다", en="Number {count} in the queue"
    ),
    Told.NO_CONNECTION: _fail("연결이 끊겨 있습니다", "No connection"),
    Told.NO_ANSWER: _fail("서버가 응답하지 않습니다", "The office does not answer"),
    Told.NO_MICROPHONE: _fail("마이크를 사용할 수 없습니다", "The microphone is missing"),
    Told.NO_VOICE: _fail("음성 장치가 준비되지 않았습니다", "Voice is not ready"),
    Told.CANCELLED: Row(vibration=Vibration.START_FAIL, beep=Beep.FAIL, sound=Sound.START_FAIL),
    Told.TALK_ENDED: Row(sound=Sound.END),
    Told.LIMIT_NEAR: Row(vibration=Vibration.SESSION_NOTIFICATION),
    Told.LIMIT_REACHED: Row(
        vibration=Vibration.START_FAIL,
        beep=Beep.END,
        sound=Sound.END,
        ko="통화 시간이 다 되었습니다",
        en="Time is up",
        urgent=True,
    ),
    Told.PREEMPTED: _fail("우선 통화로 중단되었습니다", "Pre-empted by a more urgent call"),
    Told.REVOKED: _fail("통화가 중단되었습니다", "Your turn was taken back"),
    Told.FLOOR_LOST: _fail("발언권을 잃었습니다", "The floor was lost"),
    Told.NOT_HEARD: Row(vibration=Vibration.START_FAIL, beep=Beep.FAIL),
    Told.HEARD_AGAIN: Row(vibration=Vibration.START_SUCCESS),
    Told.SESSION_JOINED: Row(vibration=Vibration.SESSION_NOTIFICATION, sound=Sound.SESSION_JOIN),
    Told.SESSION_LEFT: Row(sound=Sound.SESSION_LEAVE, ko="피티티가 종료되었습니다", en="The talk has ended"),
    Told.SOMEONE_SPEAKS: Row(
        sound=Sound.SOMEONE_SPEAKING, ko="{name}님이 피티티를 시작했습니다", en="{name} is speaking"
    ),
    Told.HEARD_BY: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        beep=Beep.OK,
        ko="{of}명 중 {count}명이 들었습니다",
        en="{count} of {of} heard you",
        urgent=True,
    ),
    Told.HEARD_UNKNOWN: Row(
        vibration=Vibration.SESSION_NOTIFICATION, ko="아직 알 수 없습니다", en="Not known yet", urgent=True
    ),
    Told.NOBODY_HEARD: _fail("아무도 듣지 못했습니다", "Nobody heard you"),
    Told.NOBODY_THERE: _fail("들을 사람이 없었습니다", "Nobody was there to hear you"),
    Told.LINK_LOST: Row(
        vibration=Vibration.START_FAIL,
        beep=Beep.FAIL,
        sound=Sound.START_FAIL,
        ko="연결이 끊겼습니다",
        en="Connection lost",
        urgent=True,
    ),
    Told.LINK_BACK: Row(vibration=Vibration.START_SUCCESS, beep=Beep.OK, ko="다시 연결되었습니다", en="Connected"),
    Told.BUTTON_STUCK: _fail("버튼이 눌린 상태입니다", "The button is stuck"),
    Told.LET_GO: _fail("버튼을 놓았다가 다시 누르세요", "Let go of the button, then press again"),
    Told.PHONE_BUSY: _fail("통화 중에는 무전을 보낼 수 없습니다", "No radio during a telephone call"),
    Told.PHONE_TOOK: _fail("전화 때문에 무전이 중단되었습니다", "The telephone has ended your call"),
    Told.NAVIGATION_HOLDS: Row(vibration=Vibration.START_FAIL, beep=Beep.FAIL),
    Told.NAVIGATION_TOOK: _fail("길 안내 때문에 무전이 중단되었습니다", "The navigation has ended your call"),
    Told.CONTACT_STUCK: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        ko="전화나 길 안내 신호가 고장입니다. 무시하고 계속합니다",
        en="The telephone or navigation signal is faulty. It is ignored",
    ),
    Told.NOT_ENROLLED: _fail(
        "이 단말기를 등록해야 합니다. 사무실에 문의하세요", "This unit must be enrolled. Please call your office"
    ),
    Told.NOT_ADMITTED: _denied(
        "이 단말기는 교체되었거나 사용이 정지되었습니다. 사무실에 문의하세요",
        "This unit was replaced or revoked. Please call your office",
    ),
    Told.EMERGENCY_HELD: Row(vibration=Vibration.COUNTING),
    Told.EMERGENCY_NOT_HELD: Row(vibration=Vibration.START_FAIL, beep=Beep.FAIL),
    Told.EMERGENCY: Row(vibration=Vibration.EMERGENCY),
    Told.EMERGENCY_CANCELLED: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        sound=Sound.END,
        ko="긴급 호출을 취소했습니다",
        en="The emergency call is cancelled",
        urgent=True,
    ),
    Told.EMERGENCY_ENDED: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        beep=Beep.END,
        sound=Sound.END,
        ko="긴급 통화가 끝났습니다. 긴급 알림은 유지됩니다",
        en="The emergency call has ended. The alarm stays on",
        urgent=True,
    ),
    Told.EMERGENCY_CLEARED: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        ko="사무실에서 긴급 알림을 해제했습니다",
        en="The office has cleared the alarm",
        urgent=True,
    ),
    Told.EMERGENCY_FAILED: _fail(
        "긴급 통화가 연결되지 않았습니다. 긴급 알림은 유지됩니다",
        "The emergency call did not go through. The alarm stays on",
    ),
    Told.EMERGENCY_OFFLINE: _fail(
        "연결이 없습니다. 연결되면 긴급 알림을 보냅니다",
        "No connection. The alarm is sent as soon as there is one",
    ),
    Told.EMERGENCY_HEARD: Row(
        vibration=Vibration.EMERGENCY,
        sound=Sound.EMERGENCY,
        ko="긴급 통화: {name}",
        en="Emergency call: {name}",
        urgent=True,
    ),
    Told.EMERGENCY_STUCK: _fail("긴급 버튼이 눌린 상태입니다", "The emergency button is stuck"),
    Told.TURN_CAME: Row(vibration=Vibration.YOUR_TURN),
    Told.TRANSMITTER_MUTED: _fail(
        "사무실이 이 차량의 송신을 막았습니다", "The office has muted the transmitter of this vehicle"
    ),
    Told.PARKED: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        ko="시동이 꺼져 대기 모드로 들어갑니다",
        en="Ignition off. The radio goes to sleep",
    ),
    Told.WAKING: Row(vibration=Vibration.SESSION_NOTIFICATION, ko="깨어났습니다", en="Awake"),
    Told.IDENTIFY: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        beep=Beep.OK,
        sound=Sound.SESSION_JOIN,
        ko="사무실이 찾는 단말기입니다",
        en="The office is looking for this unit",
    ),
    Told.REPLAY: Row(vibration=Vibration.SESSION_NOTIFICATION, beep=Beep.OK, ko="{name}, {ago}", en="{name}, {ago}"),
    Told.MISSED: Row(
        vibration=Vibration.SESSION_NOTIFICATION,
        ko="놓친 통화가 {count}건 있습니다. 재생 버튼을 누르세요",
        en="{count} missed. Press the replay button",
    ),
    Told.NOTHING_TO_REPLAY: Row(
        vibration=Vibration.START_FAIL,
        beep=Beep.FAIL,
        sound=Sound.START_FAIL,
        ko="다시 들을 통화가 없습니다",
        en="There is nothing to play again",
    ),
    Told.NO_REPLAY_NOW: Row(vibration=Vibration.START_FAIL),
}

LIGHTS: dict[Look, Light] = {
    Look.STARTING: Light(Colour.WHITE, 500, 500),
    Look.NO_LINK: Light(Colour.RED, 200, 800),
    Look.NOT_ENROLLED: Light(Colour.AMBER, 1000, 1000),
    Look.NO_VOICE: Light(Colour.RED, 800, 200),
    Look.READY: Light(Colour.GREEN),
    Look.LISTENING: Light(Colour.BLUE),
    Look.REPLAYING: Light(Colour.BLUE, 800, 200),
    Look.ASKING: Light(Colour.AMBER, 100, 100),
    Look.WAITING: Light(Colour.AMBER, 400, 400),
    Look.TALKING: Light(Colour.RED),
    Look.ENDING: Light(Colour.RED, 400, 400),
    Look.MUTED: Light(Colour.RED, 100, 100),
    Look.HOLDING: Light(Colour.WHITE),
    Look.EMERGENCY: Light(Colour.BLUE, 120, 120),
    Look.PARKED: Light(Colour.GREEN, 100, 4900),
    Look.IDENTIFY: Light(Colour.WHITE, 100, 100),
}


NAMES_WHO = frozenset({Told.DENIED, Told.QUEUE_FULL, Told.EMERGENCY_ON, Told.EMERGENCY_FAILED})
"""Denials that begin with who speaks and how long at most, where that is known; shortened, they say the name alone."""


def sentence(
    told: Told,
    lang: str,
    name: str,
    remaining_s: float | None,
    count: int = 0,
    ago_s: float | None = None,
    *,
    of: int = 0,
    short: bool = False,
) -> str:
    """Give the sentence for the driver in `ko` or `en`; empty where the table has none."""
    row = TABLE[told]
    said = spoken_name(name, lang)
    if short:
        return said if name and told in NAMES_WHO else ""
    ago = spoken_ago(ago_s or 0.0, lang)
    text = (row.ko if lang == "ko" else row.en).format(name=said, count=count, of=of, ago=ago)
    if told in NAMES_WHO and name and remaining_s is not None:
        seconds = max(1, round(remaining_s))
        unit = "second" if seconds == 1 else "seconds"
        who = f"{said}, 최대 {seconds}초 남음. " if lang == "ko" else f"{said}, {seconds} {unit} left at most. "
        return who + text
    return text


def ahead(lang: str) -> tuple[str, ...]:
    """Give the sentences that name nobody, which can be made into sound before they are needed; urgent ones first."""
    rows = sorted(TABLE.values(), key=lambda row: not row.urgent)
    texts = (row.ko if lang == "ko" else row.en for row in rows)
    return tuple(dict.fromkeys(text for text in texts if text and "{" not in text))
