"""How the driver is told: one table from what happened to light, vibration, buzzer, sound and sentence.

No sound goes into an open microphone: a grant is felt and seen; the worker drops what would be recorded. The table in
docs/architecture.md is generated from this one.
"""

from enum import StrEnum

from msgspec import Struct

from gateway.core.spoken import spoken_name
from gateway.core.words import Look, Told
from protocol.worker import Sound


class Vibration(StrEnum):
    """The plan's four vibration patterns (hw.patterns)."""

    START_SUCCESS = "start success"
    START_FAIL = "start fail"
    SESSION_NOTIFICATION = "session notification"
    HOLD = "hold"


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
    """One row of the table. `ko` and `en` may hold {name}; `urgent` sentences cut in.

    The plan's sentences are kept word for word; who speaks and how long comes before them where it is known.
    """

    vibration: Vibration | None = None
    beep: Beep | None = None
    sound: Sound | None = None
    ko: str = ""
    en: str = ""
    urgent: bool = False


def _fail(ko: str, en: str) -> Row:
    return Row(vibration=Vibration.START_FAIL, beep=Beep.FAIL, sound=Sound.START_FAIL, ko=ko, en=en, urgent=True)


TABLE: dict[Told, Row] = {
    Told.GRANTED: Row(vibration=Vibration.START_SUCCESS),
    Told.DENIED: _fail(
        "다른 사용자가 통화 중입니다. 잠시 후 다시 시도해주세요",
        "Another user is speaking. Please try again in a moment",
    ),
    Told.NOT_ALLOWED: _fail("이 차량은 듣기만 할 수 있습니다", "This vehicle may only listen"),
    Told.QUEUED: Row(vibration=Vibration.SESSION_NOTIFICATION, ko="대기 중입니다", en="Waiting for the floor"),
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
    Told.NOT_ENROLLED: _fail(
        "이 단말기를 등록해야 합니다. 사무실에 문의하세요", "This unit must be enrolled. Please call your office"
    ),
    Told.NOT_ADMITTED: _fail(
        "이 단말기는 교체되었거나 사용이 정지되었습니다. 사무실에 문의하세요",
        "This unit was replaced or revoked. Please call your office",
    ),
}

LIGHTS: dict[Look, Light] = {
    Look.STARTING: Light(Colour.WHITE, 500, 500),
    Look.NO_LINK: Light(Colour.RED, 200, 800),
    Look.NOT_ENROLLED: Light(Colour.AMBER, 1000, 1000),
    Look.NO_VOICE: Light(Colour.RED, 800, 200),
    Look.READY: Light(Colour.GREEN),
    Look.LISTENING: Light(Colour.BLUE),
    Look.ASKING: Light(Colour.AMBER, 100, 100),
    Look.WAITING: Light(Colour.AMBER, 400, 400),
    Look.TALKING: Light(Colour.RED),
    Look.MUTED: Light(Colour.RED, 100, 100),
}


def sentence(told: Told, lang: str, name: str, remaining_s: float | None) -> str:
    """Give the sentence for the driver in `ko` or `en`; empty where the table has none."""
    row = TABLE[told]
    said = spoken_name(name, lang)
    text = (row.ko if lang == "ko" else row.en).format(name=said)
    if told is Told.DENIED and name and remaining_s is not None:
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
