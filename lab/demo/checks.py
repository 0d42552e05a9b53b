"""What the demo holds to be so: one line each, in both languages."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from lab.demo.script import VOICES

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "played": ("이야기가 끝까지 진행됩니다", "the story is played to its end"),
    "heard": (
        "버스트 {n}: {listener}가 {speaker}의 말을 빠짐없이 한 번 듣습니다",
        "burst {n}: {listener} hears {speaker} wholly and once",
    ),
    "heard_killed": (
        "버스트 {n}: {listener}가 {speaker}의 말을 강제 종료까지 듣습니다",
        "burst {n}: {listener} hears {speaker} up to the kill",
    ),
    "in_time": (
        "버스트 {n}: {listener}가 {speaker}의 말을 제때 듣습니다",
        "burst {n}: {listener} hears {speaker} in time",
    ),
    "silent": (
        "{user}의 스피커는 발언권이 있는 말 외에는 조용합니다",
        "{user}'s ear is silent but for what others say with the floor",
    ),
    "not_leaked": (
        "거절된 {speaker}의 말이 {user}의 스피커에서 들리지 않습니다",
        "the refused speech of {speaker} is not in {user}'s ear",
    ),
    "agora_alone": (
        "버스트 {n}: 음성 토픽이 막힌 뒤에는 MQTT로 음성이 가지 않습니다",
        "burst {n}: with the voice topics denied not one voice frame passes the broker",
    ),
    "granted": ("버스트 {n}: {speaker}가 발언권을 얻습니다", "burst {n}: {speaker} is granted the floor"),
    "refused": (
        "{user}가 이유, 이름, 남은 시간과 함께 거절됩니다",
        "{user} is refused with cause, name and remaining time",
    ),
    "felt": ("{user}의 운전자가 거절을 진동으로 느낍니다", "{user}'s driver feels the refusal"),
    "page_told": (
        "콘솔 화면이 누가 말하고 있어 거절되었는지 알립니다",
        "the console's page tells the call manager who was in the way",
    ),
    "toned": (
        "콘솔의 알림음이 거절을 알립니다",
        "the console's tone tells the refusal",
    ),
    "page_heard": (
        "콘솔 화면이 관제의 말을 모두 들었다고 알립니다",
        "the console's page tells that all heard the call manager",
    ),
    "joined": ("세션 {number}: 모두 스스로 참가합니다", "session {number}: all join by themselves"),
    "answered": (
        "유지 시간 안의 답에는 새로운 참가가 필요 없습니다",
        "the answer within the hang time costs no join",
    ),
    "left": ("세션이 끝나고 모두 나갑니다", "the session ends and all leave"),
    "freed": ("강제 종료된 차량의 발언권이 풀립니다", "the killed speaker's floor is freed"),
    "followed": ("{what}: {within_s:.1f}초 안에", "{what}: within {within_s:.1f} s"),
    "all_followed": ("이야기의 모든 단계가 제때 이어집니다", "every step of the story follows soon"),
    "readable": ("사무소의 모든 메시지를 읽을 수 있습니다", "every message of the office can be read"),
    "events": ("세션 {number}: 이벤트 기록이 이야기와 같습니다", "the log of events tells session {number}"),
}


class Check(Struct, frozen=True, kw_only=True):
    """One thing that must be so, and whether it is; `detail` is the measure, or what is wrong."""

    key: str
    name: str
    name_ko: str
    ok: bool
    detail: str
    span: tuple[float, float] | None = None
    """When what it judges happened, CLOCK_MONOTONIC, if a machine that stood still then may be why it does not hold.

    None: whatever the machine did, this must be so.
    """
    stall_s: float = 0.0
    """A machine that stood still for less is not why; nothing under lab.demo.stalls.STALL_S_MIN is ever counted."""

    def named(self, lang: str) -> str:
        """Give its name in `ko` or `en`."""
        return self.name_ko if lang == "ko" else self.name


def check(
    key: str, ok: bool, detail: str, span: tuple[float, float] | None = None, stall_s: float = 0.0, **values: object
) -> Check:
    """Make a check; `values` fill its name in."""
    korean, english = TEXTS[key]
    spoken = {name: VOICES.get(str(value), value) for name, value in values.items()}
    return Check(
        key=key,
        name=english.format(**values),
        name_ko=korean.format(**spoken),
        ok=ok,
        detail=detail,
        span=span,
        stall_s=stall_s,
    )
